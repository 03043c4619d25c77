"""SA-Co: is what a noun phrase names in the picture, and are all of it found?"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import KINDS, percent, read_found, tell_absent
from glee.evaluation.benchmarks.source import Source, load_annotations, read_entries, restrict
from glee.evaluation.coco_json import read_annotations, read_catalog
from glee.evaluation.concept_f1 import concept_f1_scores, read_exhaustive
from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol, choose

SWITCHES = ("scoring", "max_objects", "shortest")

SUBSETS = (
    *("metaclip", "sa1b", "crowded", "fg_food", "fg_sports_equipment", "attributes"),
    "wiki_common",
)
NAMES = tuple(f"saco-{subset.replace('_', '-')}" for subset in SUBSETS)
ANNOTATORS = "abc"
TABLES = ("mask", "box")
METRICS = {
    "cgF1": "cgF1",
    "pmF1": "positive_micro_F1",
    "IL_MCC": "IL_MCC",
    "false alarms": "IL_FPR",
}
"""Our names of the numbers to those of the metric."""


def saco(source: Source, name: str) -> Benchmark:
    """Open one subset of SA-Co/Gold, named such as "saco-crowded": cgF1 of masks and boxes.

    The paper does not report it; each phrase is asked for as a name. Of several annotators the one
    who agrees best counts in each query.
    """
    subset = name.removeprefix("saco-").replace("-", "_")
    first, *others = (f"gold_{subset}_merged_{who}_release_test.json" for who in ANNOTATORS)
    file = source.file(f"saco/annotations/{first}", f"saco/gt-annotations/{first}", f"saco/{first}")
    more = [file.with_name(other) for other in others if source.annotations is None]
    files = (file, *(path for path in more if path.is_file()))
    annotators = [load_annotations(path, "images", "annotations", "categories") for path in files]
    _require_same_queries(files, annotators)
    data = annotators[0]
    folder = source.folder(
        f"saco/images/{'sa1b' if subset == 'sa1b' else 'metaclip'}", "saco/images"
    )
    choice = choose(Protocol(), SWITCHES, source.switches)
    pictures = {one["id"]: folder / one["file_name"] for one in data["images"]}
    phrases = {one["id"]: str(one["text_input"]) for one in data["images"]}
    label = min(one["id"] for one in data["categories"])

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        found = encoder.predictor.predict(
            encoder.encode(pictures[key]),
            [phrases[key]],
            scoring="pair" if choice.chosen.scoring == "pair" else "object",
            threshold=None if choice.chosen.scoring == "pair" else 0.0,
            max_objects=choice.chosen.max_objects,
        )
        return list(found.to_coco(key, [label]))

    return Benchmark(
        name=name,
        unit="images",
        keys=tuple(sorted(pictures)),
        choice=choice,
        files=files,
        predict=predict,
        key_of=lambda row: row["image_id"],
        score=partial(_score, annotators),
        read=read_entries,
        image=lambda key: pictures[key],
        notes=(f"{len(annotators)} annotators",),
    )


def _require_same_queries(files: Sequence[Path], annotators: Sequence[Json]) -> None:
    """Raise ValueError unless all annotators were asked the same."""
    first, *others = ({one["id"] for one in data["images"]} for data in annotators)
    for file, ids in zip(files[1:], others, strict=True):
        if ids != first:
            raise ValueError(
                f"{file} has {len(ids)} images, of which {len(ids & first)} are among the "
                f"{len(first)} of {files[0].name}; annotators must have the same"
            )


def _score(annotators: Sequence[Json], rows: Rows, keys: Sequence[Id]) -> Scored:
    """Compute cgF1 and its parts, of masks and boxes."""
    chosen = [restrict(one, keys, "images", "image_id") for one in annotators]
    catalog = read_catalog(chosen[0])
    exhaustive = [read_exhaustive(one) for one in chosen]
    tables = {
        table: concept_f1_scores(
            [read_annotations(one, catalog, KINDS[table]) for one in chosen], exhaustive, found
        )
        for table, found in read_found(rows, catalog, TABLES).items()
    }
    metrics = tuple(
        percent(f"{table} {metric}", tables[table][key])
        for table in tables
        for metric, key in METRICS.items()
    )
    return Scored(metrics=metrics, tables=tables, notes=tell_absent(TABLES, tables))
