"""Time average precision at the size of COCO's and LVIS' validation sets, on generated boxes.

    python benchmarks/average_precision.py [--only coco]

The peak memory is that of the whole process; run one of the two for its own.
"""

import argparse
import platform
import resource
import sys
import time

import numpy as np

from glee.evaluation.detection import coco_scores
from glee.evaluation.federated import Federation
from glee.evaluation.lvis import lvis_scores
from glee.evaluation.objects import Annotations, Catalog, Predictions
from glee.evaluation.regions import Boxes

KEPT_NAMES = 0.7  # share of predictions that have the category of their object


def make_objects(
    images: int, categories: int, *, annotated: int, predicted: int
) -> tuple[Annotations, Predictions]:
    """Return boxes in 640 x 640 pixels; most predictions are annotated boxes, moved a little."""
    random = np.random.default_rng(0)
    true = np.concatenate(
        [
            random.uniform(0, 500, (images * annotated, 2)),
            random.uniform(5, 140, (images * annotated, 2)),
        ],
        axis=1,
    )
    units, found_units = (np.repeat(np.arange(images), n) for n in (annotated, predicted))
    # A few categories in an image, as in photos.
    labels = (units * 7 + random.integers(0, 3, len(units))) % categories
    source = found_units * annotated + random.integers(0, annotated, len(found_units))
    found_labels = np.where(
        random.random(len(source)) < KEPT_NAMES,
        labels[source],
        random.integers(0, categories, len(source)),
    )
    catalog = Catalog(
        unit_ids=tuple(range(images)),
        unit_sizes=np.full((images, 2), 640),
        unit_lengths=np.ones(images, dtype=np.int64),
        category_ids=tuple(range(categories)),
    )
    annotations = Annotations(
        catalog=catalog,
        units=units,
        categories=labels,
        areas=true[:, 2] * true[:, 3],
        crowd=np.zeros(len(true), dtype=np.bool_),
        regions=Boxes(true),
    )
    predictions = Predictions(
        catalog=catalog,
        units=found_units,
        categories=found_labels,
        scores=random.random(len(source)).round(3),
        regions=Boxes(true[source] * random.normal(1, 0.1, (len(source), 4)).clip(0.5)),
    )
    return annotations, predictions


def run_coco() -> None:
    """Score 5,000 images with 100 predictions each, of 80 categories."""
    coco_scores(*make_objects(5_000, 80, annotated=7, predicted=100))


def run_lvis() -> None:
    """Score 20,000 images with 300 predictions each, of 1,203 categories."""
    images, categories = 20_000, 1203
    annotations, predictions = make_objects(images, categories, annotated=12, predicted=300)
    random = np.random.default_rng(1)
    pairs = np.stack([random.integers(0, n, 10 * images) for n in (images, categories)], axis=1)
    lvis_scores(annotations, predictions, Federation(pairs, pairs[:images]), "rcf" * 401)


RUNS = {"coco": run_coco, "lvis": run_lvis}


def main() -> None:
    """Print a line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--only", choices=RUNS)
    options = parser.parse_args()
    print(f"numpy {np.__version__}, {platform.machine()}")
    for name in [options.only] if options.only else RUNS:
        start = time.perf_counter()
        RUNS[name]()
        seconds = time.perf_counter() - start
        unit = 1 if sys.platform == "darwin" else 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
        print(f"{name:6} {seconds:6.1f} s, peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
