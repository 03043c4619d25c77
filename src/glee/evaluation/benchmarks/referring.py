"""One object for each expression: RefCOCO, RefCOCO+ and RefCOCOg."""

from collections.abc import Mapping, Sequence
from typing import Any

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import (
    coco_objects,
    percent,
    read_tables,
    tell_absent,
)
from glee.evaluation.benchmarks.source import Source, load_annotations, read_entries, restrict
from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol, choose
from glee.evaluation.referring import referring_scores
from glee.prompts import Prompts

SWITCHES = ("scoring", "shortest", "inclusive")

FOLDERS = {"refcoco": "refcoco-unc", "refcoco+": "refcocoplus-unc", "refcocog": "refcocog-umd"}
SPLITS = {
    "refcoco": ("val", "testA", "testB"),
    "refcoco+": ("val", "testA", "testB"),
    "refcocog": ("val", "test"),
}
TABLES = ("box", "mask")
METRICS = {"box": ("P@0.5", "P@0.6", "P@0.7", "P@0.8", "P@0.9"), "mask": ("oIoU", "mIoU")}
"""What the paper prints, or its text explains, of each table."""

NAMES = tuple(f"{name}-{split}" for name, splits in SPLITS.items() for split in splits)


def refcoco(source: Source, name: str) -> Benchmark:
    """Open one split, named such as "refcoco+-testA": P@0.5 of boxes and oIoU of masks.

    The authors' files are in COCO's format, each image entry with the expressions of one object.
    """
    variant, _, split = name.rpartition("-")
    folder = FOLDERS[variant]
    file = source.file(
        f"annotations/{folder}/instances_{split}.json", f"{folder}/instances_{split}.json"
    )
    data, texts = _split_expressions(load_annotations(file, "images", "annotations"))
    pictures = source.folder("coco/train2014", "train2014")
    choice = choose(Protocol(max_objects=1), SWITCHES, source.switches)
    files = {one["id"]: pictures / one["file_name"] for one in data["images"]}
    label = min(one["id"] for one in data["categories"])

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        found = encoder.predictor.predict(
            encoder.encode(files[key]),
            Prompts(expression=texts[key]),
            scoring="pair" if choice.chosen.scoring == "pair" else "object",
            max_objects=1,
        )
        rows = found.to_coco(key, [label])
        return [{name: one for name, one in row.items() if name != "prompt_id"} for row in rows]

    def score(rows: Rows, keys: Sequence[Id]) -> Scored:
        chosen = restrict(data, keys, "images", "image_id")
        tables = {
            table: referring_scores(*pair, inclusive=choice.chosen.inclusive)
            for table, pair in read_tables(chosen, rows, TABLES).items()
        }
        metrics = tuple(
            percent(f"{table} {name}", tables[table][name])
            for table in tables
            for name in METRICS[table]
        )
        notes = tell_absent(TABLES, tables)
        return Scored(metrics=metrics, tables=tables, names=texts, notes=notes)

    return Benchmark(
        name=name,
        unit="images",
        keys=tuple(sorted(files)),
        choice=choice,
        files=(file,),
        predict=predict,
        key_of=lambda row: row["image_id"],
        score=score,
        read=read_entries,
        objects=lambda rows, table: coco_objects(data, rows, table),
        image=lambda key: files[key],
    )


def _split_expressions(data: Mapping[str, Any]) -> tuple[dict[str, Any], dict[Id, str]]:
    """Return a file with one expression for each image entry, and the expressions by its id.

    Entries with several expressions are repeated; then all get new ids, in the order of the file.
    """

    def texts_of(entry: Json) -> list[str]:
        return list(entry.get("expressions") or [entry["expression"]])

    data = {"categories": [{"id": 1, "name": "object"}], **data}
    counts = {one["id"]: len(texts_of(one)) for one in data["images"]}
    if all(count == 1 for count in counts.values()):
        return data, {one["id"]: texts_of(one)[0] for one in data["images"]}
    objects: dict[Id, list[Json]] = {}
    for one in data["annotations"]:
        objects.setdefault(one["image_id"], []).append(one)
    images: list[Json] = []
    annotations: list[Json] = []
    texts: dict[Id, str] = {}
    for entry in data["images"]:
        for text in texts_of(entry):
            key = len(images) + 1
            images.append({**entry, "id": key})
            texts[key] = text
            for one in objects.get(entry["id"], []):
                annotations.append({**one, "id": len(annotations) + 1, "image_id": key})
    return {**data, "images": images, "annotations": annotations}, texts
