"""Measure the memory of the process while a network looks for thousands of names at once.

    python benchmarks/vocabulary_memory.py [--names 10000] [--size 480 640] [--model lite]

The weights are random: they need as much memory as trained ones. Run in a fresh process, since
the peak is that of the whole process.
"""

import argparse
import platform
import time
from dataclasses import replace

import numpy as np
import torch

from glee import Predictor
from glee.bench.inputs import invent_names
from glee.bench.memory import peak_bytes
from glee.config import lite, plus, tiny
from glee.model.build import build_glee
from glee.model.fold import fold_frozen_norms

PRESETS = {"lite": lite, "plus": plus, "tiny": tiny}

CPU = torch.device("cpu")


def main() -> None:
    """Predict once with all names and print time and memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--size", type=int, nargs=2, default=(480, 640), metavar=("H", "W"))
    parser.add_argument("--model", choices=PRESETS, default="lite")
    options = parser.parse_args()
    torch.manual_seed(0)
    config = PRESETS[options.model]()
    height, width = options.size
    resize = replace(config.resize, shortest=min(height, width), longest=max(height, width))
    network = fold_frozen_norms(build_glee(replace(config, resize=resize)))
    predictor = Predictor(network)
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {platform.machine()}")
    print(f"network loaded: peak {peak_bytes(CPU) / 1e9:.2f} GB")
    start = time.perf_counter()
    vocabulary = predictor.vocabulary(invent_names(options.names))
    tokens = len(vocabulary.tokens)
    seconds = time.perf_counter() - start
    print(
        f"{options.names} names, {tokens} tokens encoded in {seconds:.1f} s: "
        f"peak {peak_bytes(CPU) / 1e9:.2f} GB"
    )
    start = time.perf_counter()
    found = predictor.predict(image, vocabulary, threshold=0.0)
    seconds = time.perf_counter() - start
    peak = peak_bytes(CPU) / 1e9
    print(f"{height}x{width}, {len(found)} objects in {seconds:.1f} s: peak {peak:.2f} GB")


if __name__ == "__main__":
    main()
