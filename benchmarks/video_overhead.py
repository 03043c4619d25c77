"""Compare following objects through a video with the network alone on the same frames.

    python benchmarks/video_overhead.py [--model tiny] [--frames 40] [--rounds 3]

The network alone predicts, one by one, frames that are in memory already. Tracking reads them from
an H.264 file, links the objects, and, in further rows, records them. Rounds alternate between the
rows; printed is the least time a frame of each, since other work of the machine only adds to it:
time on the clock, and processor time of all threads, which other work disturbs less.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

import glee
from glee import Predictor
from glee.config import nano, tiny
from glee.model.build import build_glee
from glee.video.followers import FollowConfig
from glee.video.recording import Recording
from video_memory import EVERYTHING, NUM_OBJECTS, drawn, write_clip

PRESETS = {"tiny": tiny, "nano": nano}
NAMES = ["square", "ground"]
CONFIG = FollowConfig(tracker=EVERYTHING, max_objects=NUM_OBJECTS)


class Cost(NamedTuple):
    """Seconds a frame: on the clock, and of the processor in all threads."""

    clock: float
    processor: float


def network_alone(predictor: Predictor, frames: int) -> Cost:
    """Return what a frame costs."""
    pictures = [drawn(index) for index in range(frames)]
    stop = start()
    for picture in pictures:
        predictor.predict(picture, NAMES, threshold=0, max_objects=NUM_OBJECTS, second_look=False)
    return stop(frames)


def tracked(predictor: Predictor, clip: Path, frames: int, formats: Sequence[str] | None) -> Cost:
    """Return what a frame costs, with recording in some formats if there are any."""
    stop = start()
    with tempfile.TemporaryDirectory() as folder:
        session = glee.track(predictor, clip, NAMES, config=CONFIG)
        recording = None
        if formats is not None:
            recording = Recording(Path(folder), formats, session.info, settings={})
        for frame in session:
            if recording is not None:
                recording.write(frame)
        if recording is not None:
            recording.close()
    return stop(frames)


def start() -> Callable[[int], Cost]:
    """Start both clocks; what comes back stops them, given the number of frames."""
    clock, processor = time.perf_counter(), time.process_time()

    def stop(frames: int) -> Cost:
        passed = time.perf_counter() - clock, time.process_time() - processor
        return Cost(*(seconds / frames for seconds in passed))

    return stop


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", choices=PRESETS, default="tiny")
    parser.add_argument("--frames", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    predictor = Predictor(build_glee(PRESETS[options.model]()))
    ways: dict[str, Sequence[str] | None] = {
        "read and track": None,
        "and JSON lines": ["jsonl"],
        "and annotated video": ["jsonl", "video"],
    }
    print(
        f"{options.model}, 480x640, {NUM_OBJECTS} objects; torch {torch.__version__}, 1 thread, "
        f"{os.cpu_count()} cores, {platform.machine()}"
    )
    costs: dict[str, list[Cost]] = {"network alone": [], **{way: [] for way in ways}}
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, options.frames)
        network_alone(predictor, 3)
        for _ in range(options.rounds):
            costs["network alone"].append(network_alone(predictor, options.frames))
            for way, formats in ways.items():
                costs[way].append(tracked(predictor, clip, options.frames, formats))
    base: Cost | None = None
    for way, rounds in costs.items():
        cost = Cost(*(min(kind) for kind in zip(*rounds, strict=True)))
        base = base or cost
        text = ", ".join(
            f"{name} {1000 * own:6.1f} ms ({100 * (own / least - 1):+4.0f} %)"
            for name, own, least in zip(cost._fields, cost, base, strict=True)
        )
        print(f"{way:20} {text}")


if __name__ == "__main__":
    main()
