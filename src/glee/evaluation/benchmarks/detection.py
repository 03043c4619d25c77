"""Objects in single images: COCO, LVIS, Objects365 and UVO's frames."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from glee.data.readers.lvis import file_in_coco
from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.source import (
    Names,
    Source,
    category_names,
    class_names,
    load_annotations,
    other_version,
    read_entries,
    restrict,
)
from glee.evaluation.coco_json import (
    KEYS,
    Kind,
    read_annotations,
    read_both,
    read_catalog,
    read_predictions,
    sorted_by_id,
)
from glee.evaluation.detection import class_agnostic_scores, coco_scores
from glee.evaluation.encoder import Encoder
from glee.evaluation.evidence import Evidence, class_agnostic_evidence, federated_evidence
from glee.evaluation.federated import read_federation
from glee.evaluation.lvis import lvis_tables, read_frequencies
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.protocol import Choice, Protocol, choose
from glee.evaluation.records import RecordError, text
from glee.evaluation.result import Metric
from glee.evaluation.scores import Scores

SWITCHES = ("scoring", "max_objects", "shortest")
KINDS: dict[str, Kind] = {"box": "boxes", "mask": "masks"}
PARTS = ("images", "annotations", "categories")

OBJECTS365_IMAGES = 5_000
"""Of the 80,000 of its validation set; the others are trained on, as in the paper."""


def coco(source: Source) -> Benchmark:
    """Open COCO 2017 val: AP of boxes and masks of 80 categories."""
    file = source.file(
        "coco/annotations/instances_val2017.json", "annotations/instances_val2017.json"
    )
    data = load_annotations(file, *PARTS)
    task = ImageTask(
        data=data,
        folder=source.folder("coco/val2017", "val2017"),
        names=category_names(data["categories"]),
        choice=choose(Protocol(), SWITCHES, source.switches),
    )
    notes = other_version("COCO 2017 val", data, {"images": 5_000, "categories": 80})
    return image_benchmark("coco", task, file, score_coco, notes)


def lvis(source: Source, *, minival: bool) -> Benchmark:
    """Open LVIS v1 val, or the 5,000 images of it that are not in COCO's training set."""
    name = "lvis_v1_minival_inserted_image_name.json" if minival else "lvis_v1_val.json"
    file = source.file(f"lvis/{name}", f"annotations/{name}", name)
    data = load_annotations(file, *PARTS)
    task = ImageTask(
        data=data,
        folder=source.folder("coco", "."),
        names=category_names(data["categories"]),
        choice=choose(Protocol(max_objects=300), SWITCHES, source.switches),
        in_coco=True,
        objects=lvis_objects,
    )
    counts = {"images": 5_000 if minival else 19_809, "categories": 1_203}
    notes = other_version("LVIS v1 minival" if minival else "LVIS v1 val", data, counts)
    return image_benchmark("lvis-minival" if minival else "lvis", task, file, score_lvis, notes)


def objects365(source: Source) -> Benchmark:
    """Open the first 5,000 validation images of Objects365 v2: AP of boxes."""
    names = ("zhiyuan_objv2_val.json", "zhiyuan_objv2_val_new.json")
    roots = ("Objects365v2", "Objects365V2", "objects365", ".")
    file = source.file(*(f"{root}/annotations/{name}" for root in roots for name in names))
    data = load_annotations(file, *PARTS)
    first = [one["id"] for one in sorted_by_id(data, "images")[:OBJECTS365_IMAGES]]
    task = ImageTask(
        data=dict(restrict(data, first, "images", "image_id")),
        folder=source.folder(*(f"{root}/images" for root in roots)),
        names=category_names(data["categories"]),
        choice=choose(Protocol(), SWITCHES, source.switches),
        tables=("box",),
    )
    notes = other_version("Objects365 v2", data, {"categories": 365})
    return image_benchmark("objects365", task, file, score_coco, notes)


def uvo(source: Source) -> Benchmark:
    """Open UVO's validation frames: AR100 of masks of whatever is an object."""
    folder = "UVO/annotations/FrameSet"
    names = ("UVO_frame_val_onecategory.json", "UVO_frame_val_onecate.json", "UVO_frame_val.json")
    file = source.file(*(f"{folder}/{name}" for name in names))
    data = load_annotations(file, *PARTS)
    first = min(one["id"] for one in data["categories"])
    task = ImageTask(
        data=data,
        folder=source.folder("UVO/uvo_videos_frames"),
        names=Names(("object",), (first,)),
        choice=choose(Protocol(), SWITCHES, source.switches),
        objects=uvo_objects,
    )
    return image_benchmark("uvo", task, file, score_uvo, ())


def coco_objects(data: Json, rows: Rows, table: str) -> Evidence:
    """Return what COCO's numbers compare."""
    annotations, predictions = read_objects(data, rows, table)
    return Evidence(annotations=annotations, predictions=predictions)


def uvo_objects(data: Json, rows: Rows, table: str) -> Evidence:
    """Return what class-agnostic numbers compare."""
    return class_agnostic_evidence(*read_objects(data, rows, table))


def lvis_objects(data: Json, rows: Rows, table: str) -> Evidence:
    """Return what LVIS' numbers compare."""
    annotations, predictions = read_objects(data, rows, table)
    federation = read_federation(data, annotations.catalog, "images")
    return federated_evidence(annotations, predictions, federation)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageTask:
    """Objects to be found in single images.

    data     the annotation file
    folder   of the pictures
    names    what is asked for
    choice   the protocol
    tables   what is compared: "box", "mask" or both
    in_coco  pictures are named by their address in COCO, as in LVIS
    objects  annotated and predicted objects of a table, as they are compared
    """

    data: dict[str, Any]
    folder: Path
    names: Names
    choice: Choice
    tables: tuple[str, ...] = ("box", "mask")
    in_coco: bool = False
    objects: Callable[[Json, Rows, str], Evidence] = coco_objects


def image_benchmark(
    name: str,
    task: ImageTask,
    file: Path,
    score: Callable[[ImageTask, Rows, Sequence[Id]], Scored],
    notes: tuple[str, ...],
) -> Benchmark:
    """Return the benchmark of a task; `score` computes the numbers of its rows."""
    address = "coco_url" if task.in_coco else "file_name"
    for row, one in enumerate(task.data["images"]):
        text(one, address, f"{file}: images[{row}]")
    files = {
        one["id"]: task.folder / (file_in_coco(one) if task.in_coco else one["file_name"])
        for one in task.data["images"]
    }

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        return find_objects(encoder, files[key], key, task)

    return Benchmark(
        name=name,
        unit="images",
        keys=tuple(sorted(files)),
        choice=task.choice,
        files=(file,),
        predict=predict,
        key_of=lambda row: row["image_id"],
        score=partial(score, task),
        read=read_entries,
        objects=partial(task.objects, task.data),
        image=lambda key: files[key],
        notes=notes,
    )


def find_objects(encoder: Encoder, image: Path, key: Id, task: ImageTask) -> list[Json]:
    """Return COCO results for one picture."""
    protocol = task.choice.chosen
    found = encoder.predictor.predict(
        encoder.encode(image),
        task.names.names,
        scoring="pair" if protocol.scoring == "pair" else "object",
        max_objects=protocol.max_objects,
        threshold=None if protocol.scoring == "pair" else 0.0,
        masks="mask" in task.tables,
    )
    return list(found.to_coco(key, task.names.ids))


def read_objects(data: Json, rows: Rows, table: str) -> tuple[Annotations, Predictions]:
    """Read the annotated and the predicted boxes or masks of images in COCO's format."""
    catalog = read_catalog(data)
    annotations = read_annotations(data, catalog, KINDS[table])
    return annotations, read_predictions(rows(), catalog, KINDS[table])


def read_tables(
    data: Json, rows: Rows, tables: Sequence[str]
) -> dict[str, tuple[Annotations, Predictions]]:
    """Read the annotated and the predicted objects for those tables of which there are predictions.

    Raises RecordError as `read_both`, also if some predictions have boxes or masks and others not.
    """
    catalog = read_catalog(data)
    found = read_found(rows, catalog, tables)
    return {
        table: (read_annotations(data, catalog, KINDS[table]), predictions)
        for table, predictions in found.items()
    }


def read_found(rows: Rows, catalog: Catalog, tables: Sequence[str]) -> dict[str, Predictions]:
    """Read the predicted objects for those tables that the first prediction has something for."""
    first = next(rows(), None)
    given = [one for one in tables if first is None or first.get(KEYS[KINDS[one]]) is not None]
    if not given:
        wanted = " nor ".join(repr(KEYS[KINDS[one]]) for one in tables)
        raise RecordError("predictions[0]", f"has no {wanted}; give boxes, masks or both")
    absent = [KINDS[one] for one in tables if one not in given]
    found = read_both(rows(), catalog, [KINDS[one] for one in given], without=absent)
    return {one: found[KINDS[one]] for one in given}


def tell_absent(wanted: Sequence[str], scored: Iterable[str]) -> tuple[str, ...]:
    """Return in words which tables could not be scored, for want of predictions."""
    there = set(scored)
    return tuple(
        f"predictions have no {KINDS[one]}: there are no numbers of {KINDS[one]}"
        for one in wanted
        if one not in there
    )


def score_coco(task: ImageTask, rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute COCO's numbers."""
    data = restrict(task.data, keys, "images", "image_id")
    objects = read_tables(data, rows, task.tables)
    tables = {table: coco_scores(*pair) for table, pair in objects.items()}
    return Scored(
        metrics=tuple(percent(f"{one} AP", scores["AP"]) for one, scores in tables.items()),
        tables=tables,
        names=class_names(data["categories"]),
        notes=tell_absent(task.tables, tables),
    )


def score_uvo(task: ImageTask, rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute COCO's numbers with all categories taken for one; the paper prints AR100 of masks."""
    data = restrict(task.data, keys, "images", "image_id")
    objects = read_tables(data, rows, task.tables)
    tables = {table: class_agnostic_scores(*pair) for table, pair in objects.items()}
    printed = "mask" if "mask" in tables else "box"
    return Scored(
        metrics=(percent(f"{printed} AR100", tables[printed]["AR100"]),),
        tables=tables,
        names={"all": "object"},
        notes=tell_absent(task.tables, tables),
    )


def score_lvis(task: ImageTask, rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute LVIS' numbers, and fixed AP."""
    data = restrict(task.data, keys, "images", "image_id")
    tables: dict[str, Scores] = {}
    objects = read_tables(data, rows, task.tables)
    for table, (annotations, predictions) in objects.items():
        federation = read_federation(data, annotations.catalog, "images")
        tables[table], tables[f"{table} fixed"] = lvis_tables(
            annotations, predictions, federation, read_frequencies(data)
        )
    return Scored(
        metrics=tuple(
            percent(f"{table} {name}", tables[table][name])
            for table in objects
            for name in ("AP", "APr")
        ),
        tables=tables,
        names=class_names(data["categories"]),
        notes=tell_absent(task.tables, objects),
    )


def percent(name: str, share: float) -> Metric:
    """Return a share of 0..1 as a metric in percent."""
    return Metric(name=name, value=100 * share)
