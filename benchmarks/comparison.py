"""Time a report's matching and the comparison of two runs at the size of COCO's validation set.

    python benchmarks/comparison.py [--images 5000] [--replicates 1000]

Boxes are generated, 100 predictions an image; the second run is another draw of predictions. The
peak memory is that of the whole process.
"""

import argparse
import platform
import resource
import sys
import time

import numpy as np

from average_precision import make_objects
from glee.evaluation.bootstrap import Drawing, compare_samples
from glee.evaluation.evidence import Evidence
from glee.evaluation.resampling import sample_precision

CATEGORIES, ANNOTATED, PREDICTED = 80, 7, 100


def main() -> None:
    """Print a line for each step."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--replicates", type=int, default=1_000)
    options = parser.parse_args()
    print(f"numpy {np.__version__}, {platform.machine()}")
    annotations, predictions = make_objects(
        options.images, CATEGORIES, annotated=ANNOTATED, predicted=PREDICTED
    )
    kept = np.random.default_rng(1).permutation(len(predictions))[: len(predictions) // 10 * 9]
    runs = [
        Evidence(annotations=annotations, predictions=one)
        for one in (predictions, predictions.take(np.sort(kept)))
    ]
    start = time.perf_counter()
    samples = [sample_precision(run.matched(), annotations.catalog.unit_ids) for run in runs]
    print(f"match both    {time.perf_counter() - start:6.1f} s")
    start = time.perf_counter()
    differences = compare_samples(*samples, Drawing(replicates=options.replicates))
    print(f"{options.replicates} draws    {time.perf_counter() - start:6.1f} s")
    for one in differences:
        print(
            f"{one.name:5} {one.change.value:+.4f}, {one.change.low:+.4f} to {one.change.high:+.4f}"
        )
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9
    print(f"peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
