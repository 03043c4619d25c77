"""Time one image through a network: image encoder, everything behind it, and the results.

    python benchmarks/latency.py [--model lite] [--size 800 1344] [--names 80] [--dtype float32]

The weights are random: they take as long as trained ones, but more objects may pass the threshold,
so the ten best are kept. Names are cached. The least and the median of several runs are printed.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from glee import Predictor
from glee.config import lite, nano, plus, tiny
from glee.model.build import build_glee
from glee.model.fold import fold_frozen_norms

PRESETS = {"lite": lite, "plus": plus, "nano": nano, "tiny": tiny}


def seconds(run: Callable[[], object], runs: int) -> tuple[float, float]:
    """Return the least and the median time of a call, after one to warm up."""
    run()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times), statistics.median(times)


def main() -> None:
    """Print a line for each stage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", choices=PRESETS, default="lite")
    parser.add_argument("--size", type=int, nargs=2, default=(800, 1344), metavar=("H", "W"))
    parser.add_argument("--names", type=int, default=80)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    config = PRESETS[options.model]()
    height, width = options.size
    resize = replace(config.resize, shortest=min(options.size), longest=max(options.size))
    network = fold_frozen_norms(build_glee(replace(config, resize=resize)))
    predictor = Predictor(network, dtype=getattr(torch, options.dtype))
    names = [f"thing {number}" for number in range(options.names)]
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    encoded = predictor.encode(image)
    stages = {
        "image encoder": lambda: predictor.encode(image),
        "prompt to boxes": lambda: predictor.predict(encoded, names, threshold=0, masks=False),
        "prompt to ten masks": lambda: predictor.predict(
            encoded, names, threshold=0, max_objects=10
        ),
    }
    print(
        f"{options.model}, {height}x{width}, {options.names} names, {options.dtype}; "
        f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}"
    )
    for stage, run in stages.items():
        least, median = seconds(run, options.runs)
        print(f"{stage:20} least {least:6.3f} s, median {median:6.3f} s")


if __name__ == "__main__":
    main()
