"""OmniLabel: boxes for category names and for free descriptions, asked of every picture anew."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from glee.evaluation.arrays import Id
from glee.evaluation.benchmark import Benchmark, Json, Rows, Scored
from glee.evaluation.benchmarks.detection import percent
from glee.evaluation.benchmarks.source import Source, load_annotations, read_entries
from glee.evaluation.encoder import Encoder
from glee.evaluation.omnilabel import omnilabel_scores
from glee.evaluation.omnilabel_json import (
    read_omnilabel_annotations,
    read_omnilabel_predictions,
    read_questions,
)
from glee.evaluation.protocol import Protocol, choose
from glee.ops.boxes import xyxy_to_xywh

SWITCHES = ("scoring", "max_objects", "shortest")
FILES = (
    "omnilabel/dataset_all_val_v0.1.3.json",
    "omnilabel/omnilabel_val_v0.1.3/dataset_all_val_v0.1.3.json",
    "omnilabel/dataset_all_val_v0.1.4.json",
    "omnilabel/dataset_all_val.json",
)

# Our names of the numbers to the paper's.
METRICS = {
    "AP": "AP_hm",
    "AP categ": "AP_categ",
    "AP descr": "AP_descr",
    "AP descr-pos": "AP_descr-pos",
    "AP descr-S": "AP_descr-s",
    "AP descr-M": "AP_descr-m",
    "AP descr-L": "AP_descr-l",
}


def omnilabel(source: Source) -> Benchmark:
    """Open OmniLabel's validation set.

    The released code lacks this protocol. All texts of a picture are asked for together, as names.
    """
    file = source.file(*FILES)
    data = load_annotations(file, "images", "annotations", "descriptions")
    folder = source.folder("omnilabel/images", "omnilabel")
    choice = choose(Protocol(), SWITCHES, source.switches)
    files = {one["id"]: folder / one["file_name"] for one in data["images"]}
    questions = _questions(data)

    def predict(encoder: Encoder, key: Id) -> list[Json]:
        texts = questions.get(key)
        if not texts:
            return []
        found = encoder.predictor.predict(
            encoder.encode(files[key]),
            list(texts),
            scoring="pair" if choice.chosen.scoring == "pair" else "object",
            threshold=None if choice.chosen.scoring == "pair" else 0.0,
            max_objects=choice.chosen.max_objects,
            masks=False,
        )
        columns = xyxy_to_xywh(found.boxes).tolist(), found.label_names(), found.scores.tolist()
        return [
            {
                "image_id": key,
                "bbox": box,
                "description_ids": texts[text],
                "scores": [score] * len(texts[text]),
            }
            for box, text, score in zip(*columns, strict=True)
        ]

    def score(rows: Rows, keys: Sequence[Id]) -> Scored:
        chosen = _restrict(data, keys)
        asked = read_questions(chosen)
        scores = omnilabel_scores(
            read_omnilabel_annotations(chosen, asked),
            read_omnilabel_predictions(rows(), chosen, asked),
        )
        metrics = tuple(percent(name, scores[theirs]) for name, theirs in METRICS.items())
        return Scored(metrics=metrics, tables={"box": scores})

    return Benchmark(
        name="omnilabel",
        unit="images",
        keys=tuple(sorted(files)),
        choice=choice,
        files=(file,),
        predict=predict,
        key_of=lambda row: row["image_id"],
        score=score,
        read=read_entries,
        image=lambda key: files[key],
    )


def _questions(data: Json) -> dict[Id, dict[str, list[int]]]:
    """Return for each image the texts that are asked for, and the descriptions with each text."""
    questions: dict[Id, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for one in data["descriptions"]:
        if text := str(one["text"]).strip():
            for image in one["image_ids"]:
                questions[image][text].append(one["id"])
    return questions


def _restrict(data: Mapping[str, Any], keys: Sequence[Id]) -> dict[str, Any]:
    """Return the annotation file as if it had some images only, all with a size.

    The public files leave sizes out; boxes are compared without them.
    """
    kept = set(keys)
    images = [one for one in data["images"] if one["id"] in kept]
    return {
        **data,
        "images": [{"height": 0, "width": 0, **one} for one in images],
        "annotations": data["annotations"]
        if len(kept) == len(data["images"])  # all, so that unknown images are seen
        else [one for one in data["annotations"] if one["image_id"] in kept],
        "descriptions": [
            {**one, "image_ids": [image for image in one["image_ids"] if image in kept]}
            for one in data["descriptions"]
        ],
    }
