"""Say where the processor's time goes when objects are followed through a video and recorded.

    python benchmarks/video_stages.py [--model nano] [--video FILE --names person,bus] [--frames 60]

Every frame passes all stages, one after the other and in one thread, so that other work of the
machine disturbs them alike: it is decoded, brought to the network's size, passes the network, its
objects are chosen and their masks rendered, linked with those before and drawn; they are written as
JSON, and the picture as H.264. Printed is the median processor time of each stage, and its share of
the network's; and the same for all but the network together, and for what the next pass of the
network must wait for, since it is not done by other threads. The colours that nano's masks follow
belong to the network, whose masks they complete; what would be if they did not is printed, too.
Without `--video` it is drawn squares, of which the network's 20 best guesses are followed.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import glee
from glee import Predictor
from glee.config import tiny
from glee.inference.postprocess import Selection, find_objects
from glee.inference.preprocess import preprocess
from glee.inference.text import Vocabulary
from glee.model import mask_maps
from glee.model.build import build_glee
from glee.model.interfaces import PromptBatch
from glee.ops.masks import mask_to_boxes
from glee.results import Instances
from glee.tracking.config import TrackerConfig
from glee.tracking.tracker import Tracker
from glee.video.reader import open_source
from glee.video.source import FrameRange, SourceFrame
from glee.video.trails import Trails, draw_tracks
from glee.video.writers.annotated import new_encoder, to_frame
from video_memory import EVERYTHING, NUM_OBJECTS, write_clip

NETWORK, COLOURS, MASKS, ENCODING = "network", "colours of masks", "masks", "H.264"
WAITED_FOR = ("resizing", MASKS, "tracking")  # `glee.track` does all else in other threads


class Stopwatch:
    """Processor time of the whole process in each stage, a value for each frame."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what happens inside to a stage."""
        began = time.process_time()
        yield
        self.seconds.setdefault(name, []).append(time.process_time() - began)

    def table(self, skip: int) -> str:
        """Return a line for each stage, without the first frames, and sums."""
        medians = {name: float(np.median(values[skip:])) for name, values in self.seconds.items()}
        colours = medians.setdefault(COLOURS, 0.0)
        medians[MASKS] -= colours  # they are a part of that stage
        network = medians[NETWORK] + colours
        lines = [_line(name, own, network) for name, own in medians.items()]
        rest = sum(medians.values()) - network
        lines.append(_line("all but network", rest, network))
        lines.append(_line("with colours", rest + colours, medians[NETWORK]))
        lines.append(_line(f"and but {ENCODING}", rest - medians[ENCODING], network))
        waited = sum(medians[name] for name in WAITED_FOR)
        lines.append(_line("waited for", waited, network))
        return "\n".join(lines)


def _line(name: str, seconds: float, network: float) -> str:
    return f"{name:18} {1000 * seconds:7.2f} ms {100 * seconds / network:6.1f} %"


class Pipeline:
    """All stages of a video, as `glee.track` and its recording go through them."""

    def __init__(self, predictor: Predictor, names: list[str], everything: bool) -> None:
        self._predictor = predictor
        self._vocabulary: Vocabulary = predictor.vocabulary(names)
        tracker = EVERYTHING if everything else TrackerConfig()
        self._selection = Selection(
            threshold=tracker.keep_score, max_objects=NUM_OBJECTS if everything else 100
        )
        self._tracker, self._trails = Tracker(tracker), Trails()
        self._encoder = None
        self.watch, self.objects = Stopwatch(), 0

    def step(self, frame: SourceFrame) -> None:
        """Take one frame through all stages behind decoding."""
        tracked = self._follow(frame)
        self.objects += len(tracked)
        with self.watch.stage("JSON"):
            mask_boxes = None if tracked.masks is None else mask_to_boxes(tracked.masks)
            json.dumps(tracked.cpu().to_json(mask_boxes), separators=(",", ":"))
        with self.watch.stage("drawing"):
            picture = draw_tracks(frame.image, tracked, self._trails, mask_boxes)
        self._encode(picture, frame)

    @torch.no_grad()
    def _follow(self, frame: SourceFrame) -> Instances:
        model = self._predictor.model.eval()
        with self.watch.stage("resizing"):
            pixels, geometry = preprocess(frame.image, model.config.resize)
            batch = pixels[None].contiguous(memory_format=torch.channels_last)
        with self.watch.stage(NETWORK):
            features = model.encode_image(batch)
            outputs = model.detect(
                features, PromptBatch(self._vocabulary.prompt), second_look=False
            )
        with self.watch.stage(MASKS):
            found = find_objects(outputs, 0, geometry, self._selection)
            instances = Instances(
                boxes=found.boxes,
                scores=found.scores,
                labels=found.labels,
                names=self._vocabulary.names,
                image_size=geometry.original,
                masks=found.masks,
                embeddings=found.embeddings,
            )
        with self.watch.stage("tracking"):
            return self._tracker.step(instances, consume=True)

    def _encode(self, picture: Image.Image, frame: SourceFrame) -> None:
        with self.watch.stage(ENCODING):
            image = to_frame(picture)
            if self._encoder is None:
                self._encoder = new_encoder(image.width, image.height, Fraction(24))
            image.pts = frame.index * 3750
            self._encoder.encode(image)


@contextmanager
def watch_colours(watch: Stopwatch) -> Iterator[None]:
    """Time what follows the colours of masks."""
    follow = mask_maps.follow_colours

    def timed(*args: Any) -> Tensor:
        with watch.stage(COLOURS):
            return follow(*args)

    mask_maps.follow_colours = timed
    try:
        yield
    finally:
        mask_maps.follow_colours = follow


def run(predictor: Predictor, clip: Path, names: list[str], frames: int, everything: bool) -> str:
    """Return the table."""
    pipeline = Pipeline(predictor, names, everything)
    source = open_source(clip)
    reader = source.read(FrameRange())
    count = 0
    while count < frames:
        with pipeline.watch.stage("decoding"):
            frame = next(reader, None)
        if frame is None:
            break
        with watch_colours(pipeline.watch):
            pipeline.step(frame)
        count += 1
    height, width = frame.image.shape[:2] if frame is not None else (0, 0)
    head = f"{height}x{width}, {count} frames, {pipeline.objects / count:.1f} objects in each"
    return f"{head}\n{pipeline.watch.table(skip=min(3, count - 1))}"


def main() -> None:
    """Print a line for each stage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", default="nano", help="tiny (random weights), or as glee.load")
    parser.add_argument("--video", type=Path)
    parser.add_argument("--names", default="square,ground")
    parser.add_argument("--frames", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    tiny_model = options.model == "tiny"
    predictor = Predictor(build_glee(tiny())) if tiny_model else glee.load(options.model)
    print(
        f"{options.model}; torch {torch.__version__}, 1 thread, {os.cpu_count()} cores, "
        f"{platform.machine()}"
    )
    with tempfile.TemporaryDirectory() as folder:
        clip = options.video or Path(folder) / "clip.mp4"
        if options.video is None:
            write_clip(clip, options.frames)
        everything = options.video is None
        print(run(predictor, clip, options.names.split(","), options.frames, everything))


if __name__ == "__main__":
    main()
