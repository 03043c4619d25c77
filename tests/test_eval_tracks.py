from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from glee.evaluation.benchmarks.tao import shown
from glee.evaluation.benchmarks.tracks import (
    VideoTrack,
    find_objects,
    find_tracks,
    match_queries,
)
from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol
from glee.images import ImageSource
from glee.inference.predictor import EncodedImage, Predictor
from glee.ops.masks import Rle, decode_rle
from golden_cases import Golden, load_golden

FOLDER = Path(__file__).parent / "golden/small"


class RecordedFrames(Encoder):
    """Shows the recorded frames as they are, with results at the recorded size."""

    def __init__(self, golden: Golden) -> None:
        height, width = golden.inputs["video.frame0.image"].shape[:2]
        super().__init__(Predictor(golden.model), shortest=min(height, width))
        self.golden = golden

    def encode(self, image: ImageSource) -> EncodedImage:
        encoded = super().encode(self.golden.inputs[f"video.frame{image}.image"].numpy())
        size = cast("tuple[int, int]", tuple(self.golden.tasks["video_hw"]))
        return replace(encoded, geometry=replace(encoded.geometry, original=size))


@pytest.fixture(scope="module")
def golden() -> Golden:
    return load_golden(FOLDER)


@pytest.fixture(scope="module")
def found(golden: Golden) -> list[VideoTrack]:
    frames = [Path(str(number)) for number in range(golden.tasks["video"][3])]
    names = golden.config["ytvis19_names"]
    return find_tracks(RecordedFrames(golden), frames, names, Protocol(released_boxes=True))


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    return load_file(FOLDER / "expected_video.safetensors")


def areas(masks: Sequence[Rle | None]) -> list[int]:
    sizes = [(1, 1) if one is None else (one["size"][0], one["size"][1]) for one in masks]
    return [
        0 if one is None else int(decode_rle([one], size).sum())
        for one, size in zip(masks, sizes, strict=True)
    ]


def test_tracks_have_the_names_and_scores_of_the_original(
    found: list[VideoTrack], recorded: dict[str, Tensor]
) -> None:
    assert [one.label for one in found] == recorded["result.labels"].tolist()
    np.testing.assert_allclose(
        [one.score for one in found], recorded["result.scores"].numpy(), atol=1e-5
    )


def test_tracks_have_the_masks_of_the_original(
    found: list[VideoTrack], recorded: dict[str, Tensor]
) -> None:
    ours = np.array([areas(one.masks) for one in found])

    assert np.abs(ours - recorded["result.mask_area"].numpy()).max() <= 1
    first = found[0].masks[0]
    assert first is not None
    mask = decode_rle([first], (first["size"][0], first["size"][1]))[0]
    # Stored is every 11th value of every 7th row and column of the first ten tracks.
    values = mask[::7, ::7].flatten().numpy()[::11]
    np.testing.assert_array_equal(values, recorded["result.masks_sub7"][: len(values)].numpy())


def test_tracks_have_the_boxes_of_the_original_to_the_pixel(
    found: list[VideoTrack], recorded: dict[str, Tensor]
) -> None:
    xyxy = np.stack([one.boxes for one in found])
    xywh = np.concatenate([xyxy[..., :2], xyxy[..., 2:] - xyxy[..., :2]], axis=-1)

    np.testing.assert_array_equal(xywh.astype(int), recorded["result.boxes_xywh"].numpy())


def test_each_track_comes_once_with_its_best_name(golden: Golden, found: list[VideoTrack]) -> None:
    frames, names = [Path("0"), Path("1"), Path("2"), Path("3")], golden.config["ytvis19_names"]
    objects = find_objects(RecordedFrames(golden), frames, names, Protocol(max_tracks=5))

    assert len({one.track for one in objects}) == 5
    best = {one.track: one for one in reversed(found)}  # the first of each track is its best
    for one in objects:
        assert (one.label, one.score) == (best[one.track].label, best[one.track].score)


def test_queries_continue_the_tracks_that_they_look_like() -> None:
    tracks = torch.eye(3)
    queries = 5 * tracks[[2, 0, 1]]  # length does not matter

    assert match_queries([], queries).tolist() == [0, 1, 2]
    assert match_queries([tracks], queries).tolist() == [1, 2, 0]
    # Two of three frames decide, by their mean.
    assert match_queries([tracks, queries, queries], queries).tolist() == [0, 1, 2]


def track(
    number: int, *, left: float, width: float = 10, score: float = 0.5, pixels: int = 50
) -> VideoTrack:
    boxes = np.array([[left, 0.0, left + width, 10.0]])
    return VideoTrack(number, 0, score, [None], boxes, np.array([pixels]))


def numbers(tracks: list[VideoTrack], protocol: Protocol) -> list[int]:
    return [one.track for one in shown(tracks, 0, protocol)]


def test_boxes_on_a_surer_one_and_hardly_visible_ones_are_left_out_of_a_frame() -> None:
    tracks = [
        track(0, left=0),
        track(1, left=2),  # overlap of 8 / 12
        track(2, left=4),  # of 6 / 14
        track(3, left=50, pixels=5),
        track(4, left=50, pixels=6),
    ]

    assert numbers(tracks, Protocol()) == [0, 2, 4]
    assert numbers(tracks, Protocol(nms=1.0, min_pixels=0)) == [0, 1, 2, 3, 4]


def test_the_released_code_compares_boxes_by_their_corners_as_centres() -> None:
    # Left edges 0 and 4; as centres of 10 and 18 wide boxes they would start at -5.
    tracks = [track(0, left=0), track(1, left=4, width=18)]

    assert numbers(tracks, Protocol(nms=0.4)) == [0, 1]  # overlap of 6 / 22
    assert numbers(tracks, Protocol(nms=0.4, released_boxes=True)) == [0]  # of 10 / 18
