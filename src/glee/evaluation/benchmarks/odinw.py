"""ODinW: average precision of boxes in 13 or 35 small data sets of all sorts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import ImageTask, find_objects, percent
from glee.evaluation.benchmarks.source import (
    Source,
    category_names,
    class_names,
    load_annotations,
    read_entries,
    restrict,
)
from glee.evaluation.coco_json import read_annotations, read_catalog, read_predictions
from glee.evaluation.detection import coco_scores, odinw_average
from glee.evaluation.encoder import Encoder
from glee.evaluation.evidence import Evidence
from glee.evaluation.pooling import DataSet, pool_boxes
from glee.evaluation.protocol import Choice, Protocol, choose
from glee.evaluation.records import RecordError, shown, text
from glee.evaluation.scores import Scores

SWITCHES = ("scoring", "max_objects", "shortest", "name_overrides")
VALID = "valid/annotations_without_background.json"
EXPORT = "export/val_annotations_without_background.json"

# The annotation files of GLIP's download, in the order of the paper's table.
ODINW13: Mapping[str, str] = {
    "PascalVOC": f"PascalVOC/{VALID}",
    "AerialMaritimeDrone": f"AerialMaritimeDrone/large/{VALID}",
    "Aquarium": f"Aquarium/Aquarium Combined.v2-raw-1024.coco/{VALID}",
    "CottontailRabbits": f"CottontailRabbits/{VALID}",
    "EgoHands": "EgoHands/generic/mini_val/annotations_without_background.json",
    "NorthAmericaMushrooms": (
        f"NorthAmericaMushrooms/North American Mushrooms.v1-416x416.coco/{VALID}"
    ),
    "Packages": f"Packages/Raw/{VALID}",
    "Raccoon": f"Raccoon/Raccoon.v2-raw.coco/{VALID}",
    "ShellfishOpenImages": f"ShellfishOpenImages/raw/{VALID}",
    "VehiclesOpenImages": (
        "VehiclesOpenImages/416x416/mini_val/annotations_without_background.json"
    ),
    "pistols": f"pistols/{EXPORT}",
    "pothole": f"pothole/{VALID}",
    "thermalDogsAndPeople": f"thermalDogsAndPeople/{VALID}",
}
ODINW35: Mapping[str, str] = {
    **ODINW13,
    "AerialMaritimeDrone_tiled": f"AerialMaritimeDrone/tiled/{VALID}",
    "AmericanSignLanguageLetters": (
        "AmericanSignLanguageLetters/American Sign Language Letters.v1-v1.coco/" + VALID
    ),
    "BCCD": f"BCCD/BCCD.v3-raw.coco/{VALID}",
    "boggleBoards": f"boggleBoards/416x416AutoOrient/{EXPORT}",
    "brackishUnderwater": f"brackishUnderwater/960x540/{VALID}",
    "ChessPieces": f"ChessPieces/Chess Pieces.v23-raw.coco/{VALID}",
    "dice": f"dice/mediumColor/{EXPORT}",
    "DroneControl": f"DroneControl/Drone Control.v3-raw.coco/{VALID}",
    "EgoHands_specific": f"EgoHands/specific/{VALID}",
    "HardHatWorkers": f"HardHatWorkers/raw/{VALID}",
    "MaskWearing": f"MaskWearing/raw/{VALID}",
    "MountainDewCommercial": f"MountainDewCommercial/{VALID}",
    "openPoetryVision": f"openPoetryVision/512x512/{VALID}",
    "OxfordPets_breed": f"OxfordPets/by-breed/{VALID}",
    "OxfordPets_species": f"OxfordPets/by-species/{VALID}",
    "PKLot": f"PKLot/640/{VALID}",
    "plantdoc": f"plantdoc/416x416/{VALID}",
    "selfdrivingCar": f"selfdrivingCar/fixedLarge/{EXPORT}",
    "ThermalCheetah": f"ThermalCheetah/{VALID}",
    "UnoCards": f"UnoCards/raw/{VALID}",
    "WildfireSmoke": f"WildfireSmoke/{VALID}",
    "websiteScreenshots": f"websiteScreenshots/{VALID}",
}

OVERRIDES: Mapping[str, tuple[str, ...]] = {
    "CottontailRabbits": ("rabbits",),
    "EgoHands": ("hand hands",),
    "NorthAmericaMushrooms": ("mushroom CoW", "mushroom chanterelle"),
    "Packages": ("packages",),
}
"""What GLEE's released code asks for in place of the data sets' own names."""


def odinw(source: Source, *, count: int) -> Benchmark:
    """Open ODinW-13 or ODinW-35: AP of boxes of each data set, and the plain mean."""
    choice = choose(Protocol(), SWITCHES, source.switches)
    files = {
        name: source.file(*(f"{root}/{path}" for root in ("odinw/dataset", "odinw", ".")))
        for name, path in (ODINW13 if count == len(ODINW13) else ODINW35).items()
    }
    parts = {name: _open_part(name, path, choice) for name, path in files.items()}
    keys = tuple(key for part in parts.values() for key in part.images)

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        name, _, _ = str(key).partition("/")
        part = parts[name]
        found = find_objects(encoder, part.images[str(key)], part.ids[str(key)], part.task)
        return [{"dataset": name, **one} for one in found]

    def image(key: Id) -> Path:
        return parts[str(key).partition("/")[0]].images[str(key)]

    return Benchmark(
        name=f"odinw{count}",
        unit="images",
        keys=keys,
        choice=choice,
        files=tuple(files.values()),
        predict=predict,
        key_of=lambda row: f"{row['dataset']}/{row['image_id']}",
        score=partial(_score, parts),
        read=read_results,
        objects=lambda rows, _: _evidence(parts, rows),
        image=image,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One of the data sets.

    task    what is to be found in it
    images  its pictures by key, "data set/image id"
    ids     its image ids by key
    """

    task: ImageTask
    images: Mapping[str, Path]
    ids: Mapping[str, Id]


def _open_part(name: str, file: Path, choice: Choice) -> Part:
    data = load_annotations(file, "images", "annotations", "categories")
    override = OVERRIDES.get(name, ()) if choice.chosen.name_overrides else ()
    ordered = sorted(data["images"], key=lambda one: one["id"])
    if not ordered:  # it would be left out of the mean
        raise ValueError(f"{file} has no images; data set {name} needs at least one")
    return Part(
        task=ImageTask(
            data=data,
            folder=file.parent,
            names=category_names(data["categories"], override),
            choice=choice,
            tables=("box",),
        ),
        images={f"{name}/{one['id']}": file.parent / one["file_name"] for one in ordered},
        ids={f"{name}/{one['id']}": one["id"] for one in ordered},
    )


def read_results(path: Path) -> Iterator[Json]:
    """Yield stored predictions: a folder with COCO results in NAME.json for each data set.

    A single file must say in every entry by "dataset" which one it belongs to.
    """
    if path.is_file():
        yield from read_entries(path)
        return
    for file in sorted(path.glob("*.json")):
        for entry in read_entries(file):
            yield {"dataset": file.stem, **entry}


def _read_part(part: Part, results: Sequence[Json], name: str, data: Json) -> DataSet:
    """Read the objects of a data set, or of some of its pictures that `data` is about."""
    catalog = read_catalog(data)
    return DataSet(
        annotations=read_annotations(data, catalog, "boxes"),
        predictions=read_predictions(results, catalog, "boxes", f"predictions of {name}"),
        names=class_names(part.task.data["categories"]),
    )


def _evidence(parts: Mapping[str, Part], rows: Rows) -> Evidence:
    """Return the boxes of all data sets together."""
    grouped = _group(parts, rows)
    return pool_boxes(
        {
            name: _read_part(part, grouped.get(name, []), name, part.task.data)
            for name, part in parts.items()
        }
    )


def _score(parts: Mapping[str, Part], rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute COCO's numbers of each data set that has pictures among the keys, and their mean."""
    by_part = _group(parts, rows)
    scores: dict[str, Scores] = {}
    for name, part in parts.items():
        chosen = [part.ids[str(key)] for key in keys if str(key) in part.ids]
        if chosen:
            data = restrict(part.task.data, chosen, "images", "image_id")
            read = _read_part(part, by_part.get(name, []), name, data)
            scores[name] = coco_scores(read.annotations, read.predictions)
    average = odinw_average(scores)
    left_out = len(parts) - len(scores)
    notes = (f"the average is that of {len(scores)} of {len(parts)} data sets",) if left_out else ()
    metrics = [percent(name, one["AP"]) for name, one in scores.items()]
    return Scored(
        metrics=(*metrics, percent("average AP", average["AP"])),
        tables={"box": average},
        notes=notes,
    )


def _group(parts: Mapping[str, Part], rows: Rows) -> dict[str, list[Json]]:
    """Return the results of each data set; raise ValueError for one that is none of them."""
    grouped: dict[str, list[Json]] = {}
    for number, row in enumerate(rows()):
        where = f"predictions[{number}]"
        name = text(row, "dataset", where)
        if name not in parts:
            raise RecordError(
                where, f"is of data set {shown(repr(name))}, which is none of {', '.join(parts)}"
            )
        grouped.setdefault(name, []).append({k: v for k, v in row.items() if k != "dataset"})
    return grouped
