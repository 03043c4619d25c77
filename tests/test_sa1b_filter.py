"""SA-1B's masks that overlap larger ones are left out, in a new folder."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

from glee.cli.main import main
from glee.data.readers.sa1b import read_sa1b
from glee.data.sa1b_filter import filter_sa1b, suppress_parts
from glee.ops.masks import encode_rle

SIZE = (80, 160)


def strip(start: int, stop: int) -> Tensor:
    """A mask of some of 20 columns, each 8 pixels wide."""
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[:, 8 * start : 8 * stop] = True
    return mask


def kept(*strips: tuple[int, int], strict: bool = False) -> list[int]:
    masks = torch.stack([strip(*one) for one in strips])
    areas = masks.flatten(1).sum(1)
    return suppress_parts(masks[:, ::8, ::8], areas, strict=strict).tolist()


def test_a_part_inside_a_whole_goes_and_the_rest_comes_largest_first() -> None:
    assert kept((0, 4), (14, 20), (1, 3)) == [1, 0]


def test_masks_that_share_less_than_half_of_the_smaller_stay() -> None:
    assert kept((0, 10), (7, 14)) == [0, 1]  # 3 of 7 columns
    assert kept((0, 10), (7, 13)) == [0]  # 3 of 6


def test_a_mask_that_was_removed_removes_others_unless_strict() -> None:
    # The second shares 4 of 8 with the first; the third shares 3 of 6 with the second alone.
    chain = ((0, 10), (6, 14), (11, 17))

    assert kept(*chain) == [0]
    assert kept(*chain, strict=True) == [0, 2]


def write(folder: Path, *strips: tuple[int, int]) -> Path:
    """A folder of one image with masks."""
    place = folder / "sa_000000"
    place.mkdir(parents=True)
    Image.new("RGB", SIZE[::-1]).save(place / "sa_1.jpg")
    codes = encode_rle(torch.stack([strip(*one) for one in strips]))
    marks: list[Any] = [
        {"id": n, "segmentation": code, "bbox": [8 * a, 0, 8 * (b - a), 80], "predicted_iou": 0.9}
        for n, (code, (a, b)) in enumerate(zip(codes, strips, strict=True))
    ]
    about = {"image_id": 1, "height": 80, "width": 160, "file_name": "sa_1.jpg"}
    (place / "sa_1.json").write_text(json.dumps({"image": about, "annotations": marks}))
    return folder


@pytest.mark.parametrize("workers", [1, 2])
def test_the_survivors_are_written_to_a_new_folder_that_can_be_read(
    workers: int, tmp_path: Path
) -> None:
    source = write(tmp_path / "all", (0, 4), (14, 20), (1, 3))
    before = (source / "sa_000000" / "sa_1.json").read_bytes()

    done, report = filter_sa1b(source, tmp_path / "few", workers=workers)

    assert [(one.given, one.kept) for one in done] == [(3, 2)]
    assert not report.counts
    samples = read_sa1b(tmp_path / "few", index=tmp_path / "few" / "index.json")
    frame = samples[0].frames[0]
    assert frame.boxes.tolist() == [[112, 0, 160, 80], [0, 0, 32, 80]]
    assert isinstance(frame.image, Path)
    with Image.open(frame.image) as picture:
        assert picture.size == SIZE[::-1]
    assert (source / "sa_000000" / "sa_1.json").read_bytes() == before
    entry = json.loads((tmp_path / "few" / "sa_000000" / "sa_1.json").read_text())
    assert [one["id"] for one in entry["annotations"]] == [1, 0]
    assert entry["annotations"][0]["predicted_iou"] == 0.9


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    source = write(tmp_path / "all", (0, 4), (1, 3))
    filter_sa1b(source, tmp_path / "few")
    place = tmp_path / "few" / "sa_000000" / "sa_1.json"
    first = place.stat().st_mtime_ns

    done, _ = filter_sa1b(source, tmp_path / "few")

    assert (place.stat().st_mtime_ns, done[0].kept) == (first, 1)


def test_a_damaged_file_is_counted_and_the_others_are_filtered(tmp_path: Path) -> None:
    source = write(tmp_path / "all", (0, 4))
    Image.new("RGB", (4, 4)).save(source / "sa_000000" / "sa_2.jpg")

    done, report = filter_sa1b(source, tmp_path / "few")

    assert [one.file for one in done] == ["sa_000000/sa_1.jpg"]
    assert report.counts == {"image whose masks cannot be read": 1}


def test_the_folder_that_is_read_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is the folder that is read"):
        filter_sa1b(write(tmp_path, (0, 4)), tmp_path)


def test_the_command_says_how_many_are_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write(tmp_path / "all", (0, 4), (1, 3))

    code = main(["data", "filter-sa1b", str(source), str(tmp_path / "few")])

    assert code == 0
    assert "1 images, 1 of 2 masks kept" in capsys.readouterr().out
