"""Submissions: exactly the files that servers take, and nothing else."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from glee.evaluation.label_maps import label_row
from glee.evaluation.submissions import (
    davis_palette,
    write_expression_zip,
    write_label_zip,
    write_results_zip,
)
from glee.ops.masks import encode_rle

LABELS = np.zeros((2, 4, 5), np.uint8)
LABELS[0, 1:3, 1:3], LABELS[1, 0, 4] = 1, 2
ROW = label_row("video", ["00000", "00005"], LABELS)


def entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def picture(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("rows", [[], [{"video_id": 1}], [{"video_id": 1}, {"video_id": 2}]])
def test_youtube_vis_takes_one_json_at_the_top(rows: list[Any], tmp_path: Path) -> None:
    write_results_zip(lambda: iter(rows), tmp_path / "out.zip")

    found = entries(tmp_path / "out.zip")

    assert list(found) == ["results.json"]
    assert json.loads(found["results.json"]) == rows


@pytest.mark.parametrize(("root", "prefix"), [("Annotations", "Annotations/"), ("", "")])
def test_label_maps_are_pictures_of_their_numbers(root: str, prefix: str, tmp_path: Path) -> None:
    write_label_zip(lambda: iter([ROW]), tmp_path / "out.zip", root=root)

    found = entries(tmp_path / "out.zip")

    assert list(found) == [f"{prefix}video/00000.png", f"{prefix}video/00005.png"]
    for data, labels in zip(found.values(), LABELS, strict=True):
        image = picture(data)
        assert image.mode == "P"
        assert image.getpalette() == davis_palette()
        np.testing.assert_array_equal(np.array(image), labels)


def test_the_palette_is_that_of_davis() -> None:
    # As its files have it: background, then dark red, green, olive, blue; number 255 nearly white.
    palette = np.array(davis_palette()).reshape(256, 3)

    assert palette[:5].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]]
    assert palette[8].tolist() == [64, 0, 0]
    assert palette[255].tolist() == [224, 224, 192]


def test_expressions_have_a_folder_each_of_black_and_white(tmp_path: Path) -> None:
    shown = encode_rle(torch.from_numpy(LABELS == 1))
    row = {
        "video": "video",
        "frames": ["00000", "00005"],
        "size": [4, 5],
        "objects": {"0": shown, "1": [None, None]},
    }

    write_expression_zip(lambda: iter([row]), tmp_path / "out.zip")

    found = entries(tmp_path / "out.zip")
    assert list(found) == [
        f"Annotations/video/{expression}/{frame}.png"
        for expression in "01"
        for frame in ("00000", "00005")
    ]
    first = np.array(picture(found["Annotations/video/0/00000.png"]))
    np.testing.assert_array_equal(first, (LABELS[0] == 1) * np.uint8(255))


def test_the_same_predictions_make_the_same_file(tmp_path: Path) -> None:
    for name in ("first.zip", "second.zip"):
        write_label_zip(lambda: iter([ROW]), tmp_path / name, root="")

    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_names_that_lead_out_of_the_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"'\.\./video/00000\.png' cannot be put into a zip file"):
        write_label_zip(lambda: iter([{**ROW, "video": "../video"}]), tmp_path / "o.zip", root="")

    assert not (tmp_path / "o.zip").exists()
