"""Time `glee eval --predictions` at full size, for COCO and for LVIS, from generated files.

    python benchmarks/evaluation_run.py coco [--images 5000] [--predictions 100]
    python benchmarks/evaluation_run.py lvis [--images 20000] [--predictions 300]

An annotation file and a file of predictions, with boxes and masks, are written first; reading them
is part of what is timed. The time of the processor is told beside the clock's, for machines that
others use, too.
"""

import argparse
import contextlib
import io
import json
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glee.cli.main import main as glee_main

SIDE = 640
PATTERNS = 200
"""Images whose predictions differ; the others repeat them, as fast to score and faster to write."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Size of a data set.

    images       how many
    predictions  of each image
    categories   of the data set
    shown        of these, in each image
    annotated    objects of each image
    """

    images: int
    predictions: int
    categories: int
    shown: int
    annotated: int


TASKS = {
    "coco": Task(images=5_000, predictions=100, categories=80, shown=3, annotated=7),
    "lvis": Task(images=20_000, predictions=300, categories=1_203, shown=4, annotated=12),
}
FILES = {"coco": "coco/annotations/instances_val2017.json", "lvis": "lvis/lvis_v1_val.json"}


def run_lengths(box: Floats) -> dict[str, Any]:
    """Return the mask of an ellipse in a box."""
    from pycocotools import mask  # noqa: PLC0415

    left, top, width, height = box.tolist()
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = left + width / 2 * (1 + np.cos(turns)), top + height / 2 * (1 + np.sin(turns))
    packed = mask.frPyObjects([np.stack([x, y], axis=1).ravel().tolist()], SIDE, SIDE)[0]
    return {"size": [SIDE, SIDE], "counts": packed["counts"].decode()}


def patterns(task: Task) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield annotated objects, and predictions as text in which ### stands for the image's id.

    Predictions are annotated boxes, moved a little; half of them have another class.
    """
    random = np.random.default_rng(0)
    for _ in range(min(PATTERNS, task.images)):
        corners = random.uniform(0, 450, (task.annotated, 2))
        boxes = np.concatenate([corners, random.uniform(5, 140, (task.annotated, 2))], 1)
        labels = random.choice(random.integers(0, task.categories, task.shown), task.annotated)
        objects = [
            {
                "category_id": int(label),
                "bbox": box.tolist(),
                "area": float(box[2] * box[3]),
                "iscrowd": 0,
                "segmentation": run_lengths(box),
            }
            for box, label in zip(boxes, labels, strict=True)
        ]
        picked = random.integers(0, task.annotated, task.predictions)
        moved = boxes[picked] * random.normal(1, 0.05, (task.predictions, 4)).clip(0.5)
        found = np.where(
            random.integers(0, 2, task.predictions) == 1,
            labels[picked],
            random.integers(0, task.categories, task.predictions),
        )
        results = [
            {
                "image_id": "###",
                "category_id": int(label),
                "bbox": box.tolist(),
                "score": float(score),
                "segmentation": run_lengths(box),
            }
            for label, box, score in zip(found, moved, random.random(task.predictions), strict=True)
        ]
        yield objects, json.dumps(results)[1:-1]


def write_data(root: Path, name: str, task: Task) -> None:
    """Write an annotation file, and predictions in the official format: one list."""
    drawn = list(patterns(task))
    annotations = []
    with (root / "predictions.json").open("w") as file:
        file.write("[")
        for image in range(task.images):
            objects, text = drawn[image % len(drawn)]
            for one in objects:
                annotations.append({"id": len(annotations) + 1, "image_id": image, **one})
            file.write((", " if image else "") + text.replace('"###"', str(image)))
        file.write("]")
    images = [
        {
            "id": number,
            "file_name": f"{number}.jpg",
            "coco_url": f"http://images.cocodataset.org/val2017/{number:012}.jpg",
            "height": SIDE,
            "width": SIDE,
            "neg_category_ids": [number % task.categories],
            "not_exhaustive_category_ids": [],
        }
        for number in range(task.images)
    ]
    categories = [
        {"id": number, "name": f"class {number}", "frequency": "rcf"[number % 3]}
        for number in range(task.categories)
    ]
    path = root / FILES[name]
    path.parent.mkdir(parents=True)
    with path.open("w") as out:
        json.dump({"images": images, "annotations": annotations, "categories": categories}, out)


def time_evaluation(benchmark: str, root: Path) -> int:
    """Score predictions.json in a folder of data, and print time and the highest memory.

    Returns the exit code of `glee eval`.
    """
    file = root / "predictions.json"
    words = ["eval", benchmark, "--data", str(root), "--predictions", str(file)]
    printed, start, used = io.StringIO(), time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(printed):
        code = glee_main(words)
    seconds, processor = time.perf_counter() - start, time.process_time() - used
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    size = file.stat().st_size / 1e9
    print(printed.getvalue(), file=sys.stderr)
    print(f"numpy {np.__version__}, {platform.machine()}, predictions of {size:.2f} GB")
    print(f"{seconds:.1f} s, processor {processor:.1f} s, peak {peak:.2f} GB")
    return code


def main() -> int:
    """Print how long it takes and the highest memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("benchmark", choices=TASKS)
    parser.add_argument("--images", type=int)
    parser.add_argument("--predictions", type=int)
    options = parser.parse_args()
    task = TASKS[options.benchmark]
    task = replace(
        task,
        images=options.images or task.images,
        predictions=options.predictions or task.predictions,
    )
    with tempfile.TemporaryDirectory() as name:
        write_data(Path(name), options.benchmark, task)
        return time_evaluation(options.benchmark, Path(name))


if __name__ == "__main__":
    sys.exit(main())
