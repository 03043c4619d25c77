"""Follow 20 objects through a long video, and note the memory of the process after each frame.

    python benchmarks/video_memory.py [--frames 10000] [--max-memory-mb MB] [--plot FILE]

The video is drawn, 480x640, and written to a temporary file first. The network is `tiny()` with
random weights, of which the 20 best objects are taken; they are tracked, and every frame is
recorded as JSON and as MOT text. Printed is how much memory grows after frame 100.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import glee
from glee import Predictor
from glee.config import tiny
from glee.model.build import build_glee
from glee.tracking.config import TrackerConfig
from glee.video.followers import FollowConfig
from glee.video.memory import process_bytes
from glee.video.pyav import import_av
from glee.video.recording import Recording

HEIGHT, WIDTH = 480, 640
NUM_OBJECTS = 20
SETTLED = 100  # frames after which memory must not grow
EVERYTHING = TrackerConfig(birth_score=0.0, keep_score=0.0)
COLORS = np.random.default_rng(0).integers(40, 255, (NUM_OBJECTS, 3), dtype=np.uint8)


def drawn(index: int) -> NDArray[np.uint8]:
    """Return a frame: squares that move at different speeds over a dark ground."""
    frame = np.full((HEIGHT, WIDTH, 3), 30, dtype=np.uint8)
    for number, color in enumerate(COLORS):
        x = (37 * number + index * (1 + number % 5)) % (WIDTH - 40)
        y = (61 * number + index * (1 + number % 3)) % (HEIGHT - 40)
        frame[y : y + 40, x : x + 40] = color
    return frame


def write_clip(path: Path, frames: int) -> None:
    """Encode so many frames as H.264."""
    av = import_av()
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index in range(frames):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(drawn(index), format="rgb24")))
        out.mux(stream.encode(None))


def follow(clip: Path, out: Path, limit: float | None) -> tuple[list[float], int]:
    """Return the memory after each frame in 10^6 bytes, and the number of tracks."""
    torch.manual_seed(0)
    predictor = Predictor(build_glee(tiny()))
    config = FollowConfig(tracker=EVERYTHING, max_objects=NUM_OBJECTS)
    held, tracks = [], 0
    names = ["square", "ground"]
    began = time.perf_counter()
    session = glee.track(predictor, clip, names, config=config, max_memory_mb=limit)
    with session, Recording(out, ["jsonl", "mot"], session.info, settings={}) as recording:
        for frame in session:
            recording.write(frame, session.state() if recording.wants_state() else None)
            held.append((process_bytes() or 0) / 1e6)
            if frame.instances.track_ids is not None and len(frame.instances):
                tracks = max(tracks, int(frame.instances.track_ids.max()))
            if (frame.index + 1) % 500 == 0:
                rate = len(held) / (time.perf_counter() - began)
                print(f"{len(held)} frames, {rate:.1f} a second, {held[-1]:.0f} MB", flush=True)
    return held, tracks


def plot(runs: dict[str, list[float]], path: Path) -> None:
    """Draw memory against frames."""
    import matplotlib  # noqa: PLC0415 - an extra

    matplotlib.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    figure, axes = pyplot.subplots(figsize=(7, 3.2))
    for name, held in runs.items():
        axes.plot(range(1, len(held) + 1), held, linewidth=1, label=name)
    axes.axvline(SETTLED, color="0.7", linewidth=1, linestyle=":")
    axes.set(xlabel="frame", ylabel="process memory (MB)")
    axes.set_ylim(bottom=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="lower right")
    figure.tight_layout()
    figure.savefig(path, dpi=130)


def main() -> None:
    """Measure, print, and plot if wanted."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--max-memory-mb", type=float)
    parser.add_argument("--save", type=Path, help="JSON file for the figures, added to those in it")
    parser.add_argument("--plot", type=Path, help="picture of all figures in the JSON file")
    options = parser.parse_args()
    torch.set_num_threads(1)
    limit = options.max_memory_mb
    print(
        f"torch {torch.__version__}, {platform.machine()}, {options.frames} frames, limit {limit}"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        write_clip(clip, options.frames)
        held, tracks = follow(clip, Path(folder) / "out", limit)
    settled = held[min(SETTLED, len(held)) - 1]
    growth = max(held[SETTLED:], default=settled) - settled
    print(
        f"after frame {SETTLED}: {settled:.0f} MB; the most after that: {settled + growth:.0f} MB, "
        f"{growth:+.1f} MB; at the end {held[-1]:.0f} MB; {tracks} tracks"
    )
    runs = {"no limit" if limit is None else f"max_memory_mb={limit:g}": held}
    if options.save is not None:
        runs = (json.loads(options.save.read_text()) if options.save.is_file() else {}) | runs
        options.save.write_text(json.dumps(runs))
    if options.plot is not None:
        plot(runs, options.plot)


if __name__ == "__main__":
    main()
