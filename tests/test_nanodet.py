from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from glee.config import CspConfig
from glee.model.backbones.csp import CspNet
from glee.ops.boxes import pairwise_iou, suppress_overlaps
from glee.training.nanodet import (
    COCO_NAMES,
    NanoDet,
    NanoDetHead,
    NanoDetOnPyramid,
    convert_nanodet,
    decode_boxes,
    detect,
    letterbox,
    load_teacher,
)
from mini_teacher import published_encoder

CONFIG = CspConfig(stem_width=4, depths=(1, 1, 1, 1), neck_width=8, has_neck=True)
RECORDED = Path(__file__).parent / "golden" / "nanodet" / "decoding.safetensors"


@pytest.fixture
def teacher() -> NanoDet:
    torch.manual_seed(0)
    return NanoDet(CONFIG, 3).eval()


def test_decoded_boxes_are_those_recorded_from_the_published_detector() -> None:
    recorded = load_file(RECORDED)

    boxes = decode_boxes(recorded["distances"], (96, 96))

    torch.testing.assert_close(boxes, recorded["boxes"], rtol=0, atol=1e-3)


def test_cells_of_a_wide_input_lie_row_by_row() -> None:
    # 64 x 96: 8 x 12 cells of stride 8, then 4 x 6 of 16, then 2 x 3 of 32; all sides one stride.
    distances = F.one_hot(torch.full((1, 126, 4), 1), 11).flatten(2) * 100.0

    boxes = decode_boxes(distances, (64, 96))[0]

    assert boxes[13].tolist() == [4, 4, 20, 20]  # second row and column: its centre is 12, 12
    assert boxes[96 + 7].tolist() == [8, 8, 40, 40]
    assert boxes[-1].tolist() == [48, 16, 96, 64]  # centre 80, 48, cut at the right and bottom


@torch.no_grad()
def test_the_head_computes_what_the_published_one_does(teacher: NanoDet) -> None:
    published: dict[str, Tensor] = {}
    for level in (3, 4, 5):
        for part, shape in (("tower", (8, 8, 3, 3)), ("pred", (47, 8, 1, 1))):
            published[f"head.{part}.p{level}.weight"] = torch.randn(shape)
            published[f"head.{part}.p{level}.bias"] = torch.randn(shape[0])
    maps = tuple(torch.randn(2, 8, side, side) for side in (4, 2, 1))
    head = NanoDetHead(8, 3)
    weights = convert_nanodet(published_encoder(teacher) | published, CONFIG)
    head.load_state_dict({n[5:]: v for n, v in weights.items() if n.startswith("head.")})

    logits, distances = head(maps)

    for level, x, rows in zip((3, 4, 5), maps, (range(16), range(16, 20), (20,)), strict=True):
        tower, pred = (
            (published[f"head.{part}.p{level}.weight"], published[f"head.{part}.p{level}.bias"])
            for part in ("tower", "pred")
        )
        inner = F.conv2d(x, *tower, padding=1)
        both = F.conv2d(torch.where(inner > 0, inner, 0.1 * inner), *pred)
        theirs = both.permute(0, 2, 3, 1).flatten(1, 2)
        ours = torch.cat([logits, distances], -1)[:, list(rows)]
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_an_image_is_scaled_to_the_square_and_put_in_its_middle() -> None:
    image = np.full((50, 100, 3), 255, dtype=np.uint8)

    pixels, way_back = letterbox(image, 64)

    bright = pixels[0, 0] > 0
    assert pixels.shape == (1, 3, 64, 64)
    assert bright.any(1).nonzero().flatten().tolist() == list(range(16, 48))
    assert bright.any(0).all()
    assert way_back.to_original(torch.tensor([[0.0, 16, 64, 48]])).tolist() == [[0, 0, 100, 50]]


def test_objects_are_sorted_unrivalled_and_inside_the_image(
    teacher: NanoDet, image: NDArray[np.uint8]
) -> None:
    square = image[:, : len(image)]

    found = detect(teacher, square, ("a", "b", "c"), threshold=0.3, side=64)

    assert 0 < len(found) <= 100
    assert (found.scores.diff() <= 0).all()
    assert found.scores.min() > 0.3
    assert (found.boxes >= 0).all()
    assert (found.boxes <= len(image)).all()
    overlaps = pairwise_iou(found.boxes, found.boxes).fill_diagonal_(0)
    assert overlaps[found.labels[:, None] == found.labels].max() < 0.61


def test_overlaps_of_boxes_are_shares_of_their_unions() -> None:
    boxes = torch.tensor([[0.0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 5, 9]])

    overlaps = pairwise_iou(boxes[:2], boxes)

    torch.testing.assert_close(overlaps, torch.tensor([[1, 1 / 3, 0], [1 / 3, 1, 0]]))


def test_a_box_that_was_dropped_drops_no_other() -> None:
    # Each overlaps the next by 3/5 and the one after by 1/3; the last has another name.
    boxes = torch.tensor([[2.0, 0, 6, 1], [0, 0, 4, 1], [1, 0, 5, 1], [1, 0, 5, 1]])
    scores, labels = torch.tensor([0.7, 0.9, 0.8, 0.1]), torch.tensor([0, 0, 0, 1])

    kept = suppress_overlaps(boxes, scores, labels, 0.5)

    assert kept.tolist() == [1, 0, 3]


def test_no_boxes_are_kept_of_none() -> None:
    empty = torch.zeros(0)

    assert len(suppress_overlaps(torch.zeros(0, 4), empty, empty.long(), 0.5)) == 0


def test_coco_has_eighty_names_and_none_twice() -> None:
    assert len(set(COCO_NAMES)) == 80
    assert (COCO_NAMES[9], COCO_NAMES[79]) == ("traffic light", "toothbrush")


def test_weights_that_are_no_teacher_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(FileNotFoundError, match="weights of the teacher not found"):
        load_teacher(path)
    save_file({"other": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match=r"lack backbone\.stem\.weight"):
        load_teacher(path)
    path.write_bytes(b"{}")
    with pytest.raises(ValueError, match="no safetensors file"):
        load_teacher(path)


@torch.no_grad()
def test_the_last_layer_reads_the_maps_of_an_encoder_that_has_the_towers(teacher: NanoDet) -> None:
    encoder = CspNet(replace(CONFIG, has_towers=True)).eval()
    encoder.load_state_dict(
        teacher.encoder.state_dict()
        | {
            name.replace("towers.", "towers.towers.")
            .replace(".weight", ".conv.weight")
            .replace(".bias", ".conv.bias"): value
            for name, value in teacher.head.state_dict().items()
            if name.startswith("towers.")
        }
    )
    pixels = torch.randn(2, 3, 64, 96)

    shared = NanoDetOnPyramid(teacher.head, (8, 8, 8))(pixels, encoder(pixels))

    for own, whole in zip(shared, teacher(pixels), strict=True):
        torch.testing.assert_close(own, whole)
