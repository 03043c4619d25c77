"""Time `glee eval coco --predictions` at full size: 5,000 images with 100 predictions each.

    python benchmarks/evaluation_run.py [--images 5000] [--predictions 100]

Boxes and masks are generated and written to files first; reading them is part of what is timed.
"""

import argparse
import json
import platform
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from glee.evaluation.benchmarks.open import open_benchmark
from glee.evaluation.benchmarks.source import Source
from glee.evaluation.scoring import score_predictions

SIDE, CATEGORIES, ANNOTATED = 640, 80, 7


def run_lengths(box: "np.ndarray[Any, Any]") -> dict[str, Any]:
    """Return the mask of an ellipse in a box."""
    from pycocotools import mask  # noqa: PLC0415

    left, top, width, height = box.tolist()
    turns = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    x, y = left + width / 2 * (1 + np.cos(turns)), top + height / 2 * (1 + np.sin(turns))
    packed = mask.frPyObjects([np.stack([x, y], axis=1).ravel().tolist()], SIDE, SIDE)[0]
    return {"size": [SIDE, SIDE], "counts": packed["counts"].decode()}


def write_data(root: Path, images: int, predicted: int) -> None:
    """Write an annotation file, and predictions that are annotated boxes, moved a little."""
    random = np.random.default_rng(0)
    annotations = []
    folder = root / "coco/val2017"
    folder.mkdir(parents=True)
    with (root / "predictions.jsonl").open("w") as file:
        for image in range(images):
            boxes = np.concatenate(
                [random.uniform(0, 450, (ANNOTATED, 2)), random.uniform(5, 140, (ANNOTATED, 2))], 1
            )
            labels = random.integers(0, CATEGORIES, ANNOTATED)
            for box, label in zip(boxes, labels, strict=True):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image,
                        "category_id": int(label),
                        "bbox": box.tolist(),
                        "area": float(box[2] * box[3]),
                        "iscrowd": 0,
                        "segmentation": run_lengths(box),
                    }
                )
            picked = random.integers(0, ANNOTATED, predicted)
            found = boxes[picked] * random.normal(1, 0.05, (predicted, 4)).clip(0.5)
            results = [
                {
                    "image_id": image,
                    "category_id": int(labels[row]),
                    "bbox": box.tolist(),
                    "score": float(score),
                    "segmentation": run_lengths(box),
                }
                for row, box, score in zip(picked, found, random.random(predicted), strict=True)
            ]
            file.write(json.dumps({"id": image, "results": results}) + "\n")
    path = root / "coco/annotations/instances_val2017.json"
    path.parent.mkdir()
    entries = [
        {"id": number, "file_name": f"{number}.jpg", "height": SIDE, "width": SIDE}
        for number in range(images)
    ]
    categories = [{"id": number, "name": f"class {number}"} for number in range(CATEGORIES)]
    path.write_text(
        json.dumps({"images": entries, "annotations": annotations, "categories": categories})
    )


def main() -> None:
    """Print how long it takes and the highest memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--predictions", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_data(root, options.images, options.predictions)
        start = time.perf_counter()
        benchmark = open_benchmark("coco", Source(root=root))
        result = score_predictions(benchmark, root / "predictions.jsonl", None)
        seconds = time.perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    print(f"numpy {np.__version__}, {platform.machine()}, {result.counts.predictions} predictions")
    print(f"boxes and masks {seconds:.1f} s, peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
