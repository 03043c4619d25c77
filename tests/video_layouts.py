"""Small videos in the official layouts of all video benchmarks: boxes that move to the right."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pycocotools import mask as masks

from benchmark_layouts import (
    BOXES,
    HEIGHT,
    WIDTH,
    Box,
    label_map,
    write_json,
    write_picture,
)

FRAMES = 3
VIDEOS = 2
STEP = 2
"""Pixels by which everything moves from frame to frame."""

NAMES = [f"{number:05}" for number in range(FRAMES)]


def run_lengths(video: int, place: int, frame: int) -> dict[str, Any]:
    """Return the mask of one object of a video in one frame."""
    pixels = label_map(video, STEP * frame) == place + 1
    packed = masks.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return {"size": [HEIGHT, WIDTH], "counts": packed["counts"].decode()}


def moved(box: Box, frame: int) -> list[int]:
    return [box[0] + STEP * frame, *box[1:]]


def write_frames(folder: Path, video: int, names: list[str] | None = None) -> None:
    for frame, name in enumerate(names or NAMES):
        write_picture(folder / f"{name}.jpg", video, STEP * frame)


def video_file(categories: list[dict[str, Any]], *, annotated: bool = True) -> dict[str, Any]:
    """Return two videos with two objects each, of the first two categories, as in YouTube-VIS."""
    objects = [(video, place) for video in range(VIDEOS) for place in range(2)]
    return {
        "videos": [
            {
                "id": 1 + video,
                "height": HEIGHT,
                "width": WIDTH,
                "length": FRAMES,
                "file_names": [f"video{video}/{name}.jpg" for name in NAMES],
            }
            for video in range(VIDEOS)
        ],
        "annotations": [
            {
                "id": row,
                "video_id": 1 + video,
                "category_id": categories[place]["id"],
                "iscrowd": 0,
                "segmentations": [run_lengths(video, place, frame) for frame in range(FRAMES)],
                "bboxes": [moved(BOXES[video][place], frame) for frame in range(FRAMES)],
                "areas": [BOXES[video][place][2] * BOXES[video][place][3]] * FRAMES,
            }
            for row, (video, place) in enumerate(objects, start=1)
        ]
        if annotated
        else None,
        "categories": categories,
    }


def write_videos(folder: Path) -> None:
    for video in range(VIDEOS):
        write_frames(folder / f"video{video}", video)


ANIMALS = [{"id": 1, "name": "giant_panda"}, {"id": 2, "name": "lizard"}, {"id": 3, "name": "ape"}]


def make_ytvis19(root: Path) -> None:
    """Without annotations, as the validation set is published."""
    write_json(
        root / "ytvis_2019/annotations/instances_val_sub.json", video_file(ANIMALS, annotated=False)
    )
    write_videos(root / "ytvis_2019/val/JPEGImages")


def make_ytvis21(root: Path) -> None:
    write_json(root / "ytvis_2021/valid/instances.json", video_file(ANIMALS))
    write_videos(root / "ytvis_2021/valid/JPEGImages")


def make_ovis(root: Path) -> None:
    write_json(root / "ovis/annotations_valid.json", video_file(ANIMALS))
    write_videos(root / "ovis/valid")


def make_lvvis(root: Path) -> None:
    parts = [{**one, "partition": number} for one, number in zip(ANIMALS, (0, 2, 3), strict=True)]
    write_json(root / "lvvis/val_instances.json", video_file(parts))
    write_videos(root / "lvvis/val/JPEGImages")


def make_uvo_video(root: Path) -> None:
    folder = root / "UVO/annotations/VideoDenseSet"
    write_json(folder / "UVO_video_val_dense_objectlabel.json", video_file(ANIMALS))
    write_videos(root / "UVO/uvo_videos_dense_frames_jpg")


def make_tao(root: Path) -> None:
    objects = [
        (video, place, frame)
        for video in range(VIDEOS)
        for place in range(2)
        for frame in range(FRAMES)
    ]
    names = [f"val/YFCC100M/v{video}" for video in range(VIDEOS)]
    categories = [{"id": 4, "name": "airplane"}, {"id": 9, "name": "bat_(animal)"}]
    data = {
        "videos": [
            {
                "id": video,
                "name": name,
                "height": HEIGHT,
                "width": WIDTH,
                "neg_category_ids": [],
                "not_exhaustive_category_ids": [],
            }
            for video, name in enumerate(names)
        ],
        "images": [
            {
                "id": 10 * video + frame,
                "video_id": video,
                "frame_index": 30 * frame,
                "file_name": f"{name}/frame{frame:04}.jpg",
                "height": HEIGHT,
                "width": WIDTH,
            }
            for video, name in enumerate(names)
            for frame in range(FRAMES)
        ],
        "annotations": [
            {
                "id": row,
                "image_id": 10 * video + frame,
                "video_id": video,
                "track_id": 2 * video + place,
                "category_id": categories[place]["id"],
                "bbox": moved(BOXES[video][place], frame),
                "area": BOXES[video][place][2] * BOXES[video][place][3],
            }
            for row, (video, place, frame) in enumerate(objects, start=1)
        ],
        "tracks": [],
        "categories": [*categories, {"id": 20, "name": "never_shown"}],
    }
    write_json(root / "TAO/annotations/validation.json", data)
    for video, name in enumerate(names):
        write_frames(root / "TAO/frames" / name, video, [f"frame{n:04}" for n in range(FRAMES)])


def make_burst(root: Path) -> None:
    paths = [f"frame{frame:04}.jpg" for frame in range(FRAMES)]
    sequences = [
        {
            "id": video,
            "dataset": "YFCC100M",
            "seq_name": f"v{video}",
            "height": HEIGHT,
            "width": WIDTH,
            "annotated_image_paths": paths,
            "all_image_paths": paths,
            "segmentations": [
                {
                    str(place + 1): {"rle": run_lengths(video, place, frame)["counts"]}
                    for place in range(2)
                }
                for frame in range(FRAMES)
            ],
            "track_category_ids": {"1": 4, "2": 9},
            "neg_category_ids": [],
            "not_exhaustive_category_ids": [],
        }
        for video in range(VIDEOS)
    ]
    categories = [{"id": 4, "name": "airplane"}, {"id": 9, "name": "bat_(animal)"}]
    write_json(
        root / "TAO/burst_annotations/val/all_classes.json",
        {"split": "val", "sequences": sequences, "categories": categories},
    )
    for video in range(VIDEOS):
        folder = root / f"TAO/frames/val/YFCC100M/v{video}"
        write_frames(folder, video, [path.removesuffix(".jpg") for path in paths])


def make_mot(root: Path) -> None:
    for video in range(VIDEOS):
        for detector in ("FRCNN", "SDP"):
            folder = root / f"MOT17/train/MOT17-0{video + 2}-{detector}"
            names = [f"{frame:06}" for frame in range(1, FRAMES + 1)]
            write_frames(folder / "img1", video, names)
            lines = [
                ",".join(map(str, (frame + 1, place + 1, *moved(box, frame), 1, 1, 1.0)))
                for place, box in enumerate(BOXES[video])
                for frame in range(FRAMES)
            ]
            (folder / "gt").mkdir()
            (folder / "gt/gt.txt").write_text("\n".join(lines))
            (folder / "seqinfo.ini").write_text(
                f"[Sequence]\nname={folder.name}\nimDir=img1\nseqLength={FRAMES}\nimExt=.jpg\n"
            )


def write_masks(folder: Path, video: int, frames: int = FRAMES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(frames):
        Image.fromarray(label_map(video, STEP * frame)).save(folder / f"{NAMES[frame]}.png")


def make_davis(root: Path) -> None:
    for video in range(VIDEOS):
        write_frames(root / f"DAVIS/JPEGImages/480p/video{video}", video)
        write_masks(root / f"DAVIS/Annotations/480p/video{video}", video)
    (root / "DAVIS/ImageSets/2017").mkdir(parents=True)
    (root / "DAVIS/ImageSets/2017/val.txt").write_text("video0\nvideo1\n")


def make_mose(root: Path) -> None:
    """Only with the masks of the first frames, as the validation set is published."""
    for video in range(VIDEOS):
        write_frames(root / f"mose/valid/JPEGImages/video{video}", video)
        write_masks(root / f"mose/valid/Annotations/video{video}", video, frames=1)


def make_ytvos(root: Path) -> None:
    """With masks in all frames, as only training sets are published; one class is unseen."""
    objects = {"1": {"category": "ape", "frames": NAMES}, "2": {"category": "owl", "frames": NAMES}}
    videos = {f"video{video}": {"objects": objects} for video in range(VIDEOS)}
    write_json(root / "ytbvos18/val/meta.json", {"videos": videos})
    seen = {"videos": {"other": {"objects": {"1": {"category": "ape", "frames": []}}}}}
    write_json(root / "ytbvos18/train/meta.json", seen)
    for video in range(VIDEOS):
        write_frames(root / f"ytbvos18/val/JPEGImages/video{video}", video)
        write_masks(root / f"ytbvos18/val/Annotations/video{video}", video)


def make_ref_ytvos(root: Path) -> None:
    """Without masks, as the validation set is published."""
    expressions = {"0": {"exp": "a red box"}, "1": {"exp": "the box on the right"}}
    videos = {
        f"video{video}": {"expressions": expressions, "frames": NAMES} for video in range(VIDEOS)
    }
    folder = root / "ref-youtube-vos"
    write_json(folder / "meta_expressions/valid/meta_expressions.json", {"videos": videos})
    for video in range(VIDEOS):
        write_frames(folder / f"valid/JPEGImages/video{video}", video)


def make_ref_davis(root: Path) -> None:
    texts = [f"the {colour} box" for colour in ("red", "green") for _ in range(4)]
    expressions = {str(number): {"exp": text} for number, text in enumerate(texts)}
    videos = {
        f"video{video}": {"expressions": expressions, "frames": NAMES} for video in range(VIDEOS)
    }
    folder = root / "ref-davis"
    write_json(folder / "meta_expressions/valid/meta_expressions.json", {"videos": videos})
    for video in range(VIDEOS):
        write_frames(folder / f"valid/JPEGImages/video{video}", video)
        write_masks(folder / f"valid/Annotations/video{video}", video)


VIDEO_LAYOUTS: Mapping[str, Callable[[Path], None]] = {
    "ytvis19": make_ytvis19,
    "ytvis21": make_ytvis21,
    "ovis": make_ovis,
    "lvvis": make_lvvis,
    "uvo-video": make_uvo_video,
    "tao": make_tao,
    "burst": make_burst,
    "mot17": make_mot,
    "davis": make_davis,
    "mose": make_mose,
    "ytvos": make_ytvos,
    "ref-ytvos": make_ref_ytvos,
    "ref-davis": make_ref_davis,
}
