"""Time `glee eval --predictions` of tracks in videos, for TAO and for BURST, from generated files.

    python benchmarks/evaluation_tracks.py tao [--videos 988] [--tracks 50]
    python benchmarks/evaluation_tracks.py burst [--videos 993] [--tracks 30]

Every video has 37 annotated frames, about as many as those of the real sets, with three objects in
each; predicted tracks are annotated ones, moved a little, and tracks of nothing.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation_run import SIDE, run_lengths, time_evaluation

FRAMES = 37
OBJECTS = 3
CATEGORIES = 302
VIDEOS = {"tao": (988, 50), "burst": (993, 30)}
"""Videos of the real sets, and the tracks that the paper's protocol keeps of each."""

Floats = NDArray[np.float64]


def draw_tracks(random: np.random.Generator, count: int) -> Floats:
    """Return boxes [count, FRAMES, 4] that move through a picture, xywh."""
    start = random.uniform(0, 400, (count, 1, 2))
    step = random.uniform(-2, 2, (count, 1, 2)) * np.arange(FRAMES)[:, None]
    sizes = np.broadcast_to(random.uniform(10, 150, (count, 1, 2)), (count, FRAMES, 2))
    return np.concatenate([(start + step).clip(0, SIDE - 151), sizes], axis=2)


def videos(count: int, tracks: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield true tracks [OBJECTS, FRAMES, 4] and predicted ones [tracks, FRAMES, 4] of videos."""
    random = np.random.default_rng(0)
    for _ in range(count):
        true = draw_tracks(random, OBJECTS)
        near = true[random.integers(0, OBJECTS, tracks // 2)]
        near = near * random.normal(1, 0.05, near.shape).clip(0.5, 1.2)
        yield true, np.concatenate([near, draw_tracks(random, tracks - len(near))])


def write_tao(root: Path, count: int, tracks: int) -> None:
    """Write an annotation file of TAO, and results in its format."""
    annotations: list[dict[str, Any]] = []
    before = "["
    with (root / "predictions.json").open("w") as file:
        for video, (true, found) in enumerate(videos(count, tracks)):
            for track, frame in np.ndindex(true.shape[:2]):
                box = true[track, frame].tolist()
                one = {"id": len(annotations), "track_id": OBJECTS * video + track, "bbox": box}
                one |= {"image_id": FRAMES * video + frame, "video_id": video}
                one |= {"category_id": (video + track) % CATEGORIES, "area": box[2] * box[3]}
                annotations.append(one)
            for track, frame in np.ndindex(found.shape[:2]):
                one = {"image_id": FRAMES * video + frame, "bbox": found[track, frame].tolist()}
                one |= {"category_id": (video + track % 6) % CATEGORIES, "video_id": video}
                one |= {"track_id": tracks * video + track, "score": 1 / (1 + track)}
                file.write(before + json.dumps(one))
                before = ", "
        file.write("]")
    lists = {"neg_category_ids": [], "not_exhaustive_category_ids": []}
    sides = {"height": SIDE, "width": SIDE}
    data = {
        "videos": [{"id": video, "name": str(video), **lists, **sides} for video in range(count)],
        "images": [
            {"id": row, "video_id": row // FRAMES, "frame_index": row, "file_name": "", **sides}
            for row in range(FRAMES * count)
        ],
        "annotations": annotations,
        "categories": [{"id": number, "name": f"class {number}"} for number in range(CATEGORIES)],
    }
    write(root / "TAO/annotations/validation.json", data)


def write_burst(root: Path, count: int, tracks: int) -> None:
    """Write an annotation file of BURST, and results in its format."""
    names = [f"frame{frame:04}.jpg" for frame in range(FRAMES)]
    sequences = []
    with (root / "predictions.json").open("w") as file:
        for video, (true, found) in enumerate(videos(count, tracks)):
            facts = {"dataset": "YFCC100M", "seq_name": str(video), "height": SIDE, "width": SIDE}
            facts |= {"annotated_image_paths": names}
            lists = {"neg_category_ids": [], "not_exhaustive_category_ids": []}
            sequences.append({**facts, **lists, **sequence(true, video)})
            text = json.dumps({**facts, **sequence(found, video)})
            file.write(('{"sequences": [' if not file.tell() else ", ") + text)
        file.write("]}")
    categories = [{"id": 1 + number, "name": f"class {number}"} for number in range(CATEGORIES)]
    data = {"sequences": sequences, "categories": categories}
    write(root / "TAO/burst_annotations/val/all_classes.json", data)


def sequence(boxes: Floats, video: int) -> dict[str, Any]:
    """Return the masks of tracks [N, FRAMES, 4] as BURST's files hold them."""
    labels = {str(1 + row): 1 + (video + row % 6) % CATEGORIES for row in range(len(boxes))}
    masks = [
        {
            str(1 + row): {"rle": run_lengths(boxes[row, frame])["counts"], "score": 1 / (1 + row)}
            for row in range(len(boxes))
        }
        for frame in range(FRAMES)
    ]
    return {"segmentations": masks, "track_category_ids": labels}


def write(path: Path, data: Any) -> None:
    """Write JSON into a folder that is made."""
    path.parent.mkdir(parents=True)
    with path.open("w") as file:
        json.dump(data, file)


def main() -> int:
    """Print how long it takes and the highest memory."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("benchmark", choices=VIDEOS)
    parser.add_argument("--videos", type=int)
    parser.add_argument("--tracks", type=int)
    options = parser.parse_args()
    count, tracks = VIDEOS[options.benchmark]
    make = {"tao": write_tao, "burst": write_burst}[options.benchmark]
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), options.videos or count, options.tracks or tracks)
        return time_evaluation(options.benchmark, Path(name))


if __name__ == "__main__":
    sys.exit(main())
