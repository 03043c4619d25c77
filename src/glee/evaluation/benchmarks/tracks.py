"""Tracks of a video as the paper makes them for benchmarks: over the whole video at once.

Every frame is searched by itself. The queries of each frame are matched with the tracks so far, one
to one, so that their appearances agree best; no track begins or ends. A track is called what its
queries are on average (MinVIS, arXiv:2208.02245, and GLEE's released code).
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.evaluation.arrays import FloatArray, IntArray
from glee.evaluation.encoder import Encoder
from glee.evaluation.protocol import Protocol
from glee.evaluation.track_matching import assign
from glee.inference.preprocess import ImageGeometry
from glee.model.interfaces import GleeOutputs, ObjectOutputs
from glee.ops.boxes import cxcywh_to_xyxy, scale_boxes
from glee.ops.masks import Rle, encode_rle, mask_to_boxes, render_masks

FRAMES_REMEMBERED = 3
"""A track looks as its queries of so many frames do, on average."""

MARGIN = 4
"""Cells around the positive ones of a mask that can change any of its pixels when it is resized."""

OUTSIDE = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class VideoTrack:
    """One object of a video with one of its names.

    track   number of the object in its video, from 0
    label   which name
    score   0..1, the same in all frames
    masks   T masks at the original size, None where no pixel is
    boxes   [T, 4] float64, xyxy in original pixels
    pixels  [T] int64, positive cells of the network's own grid
    """

    track: int
    label: int
    score: float
    masks: Sequence[Rle | None]
    boxes: FloatArray
    pixels: IntArray


def find_tracks(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> list[VideoTrack]:
    """Return the best pairs of track and name of a video, best first.

    frames  the pictures, in time
    """
    video = _link(encoder, frames, names, protocol)
    scores, pairs = video.scores().flatten().topk(min(protocol.max_tracks, video.logits.numel()))
    rows, labels = pairs // video.logits.shape[1], pairs % video.logits.shape[1]
    return _tracks(video, rows, labels, scores)


def find_objects(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> list[VideoTrack]:
    """Return the best tracks of a video, each with its best name only, best first."""
    video = _link(encoder, frames, names, protocol)
    best, labels = video.scores().max(dim=1)
    scores, rows = best.topk(min(protocol.max_tracks, len(best)))
    return _tracks(video, rows, labels[rows], scores)


@dataclass(frozen=True, slots=True, eq=False)
class MaskCells:
    """The logits of a mask around its positive cells; elsewhere it has none that are positive.

    cells     [h, w]
    left, top  where they lie
    positive  how many are positive
    """

    cells: Tensor
    left: int
    top: int
    positive: int


@dataclass(frozen=True, slots=True, eq=False)
class LinkedFrame:
    """The queries of one frame, in the order of the tracks.

    boxes     [Q, 4] xyxy in original pixels
    masks     Q masks
    grid      (h, w) of whole masks
    geometry  of the frame
    """

    boxes: Tensor
    masks: tuple[MaskCells, ...]
    grid: tuple[int, int]
    geometry: ImageGeometry


@dataclass(frozen=True, slots=True, eq=False)
class LinkedVideo:
    """All tracks of a video.

    logits  [Q, K] the mean over the frames
    frames  T frames
    """

    logits: Tensor
    frames: tuple[LinkedFrame, ...]

    def scores(self) -> Tensor:
        """Return the probability [Q, K] of each name."""
        return self.logits.sigmoid()


def _link(
    encoder: Encoder, frames: Sequence[Path], names: Sequence[str], protocol: Protocol
) -> LinkedVideo:
    """Search all frames and match their queries with the tracks."""
    vocabulary = encoder.predictor.vocabulary(names)
    recent: deque[Tensor] = deque(maxlen=FRAMES_REMEMBERED)
    total: Tensor | None = None
    linked: list[LinkedFrame] = []
    for path in frames:
        image = encoder.encode(path)
        outputs = encoder.predictor.detect(image, vocabulary)
        order = match_queries(recent, outputs.final.embeddings[0].float().cpu())
        found = outputs.final.take(order.to(outputs.final.logits.device))
        recent.append(found.embeddings[0].float().cpu())
        logits = found.logits[0].float().cpu()
        total = logits if total is None else total + logits
        boxes = _boxes(found, image.geometry, encoder.is_square, protocol)
        linked.append(
            LinkedFrame(
                boxes=boxes,
                masks=_cut_masks(found, outputs),
                grid=(outputs.mask_features.shape[2], outputs.mask_features.shape[3]),
                geometry=image.geometry,
            )
        )
    if total is None:
        raise ValueError("frames is empty; a video has at least one")
    return LinkedVideo(total / len(frames), tuple(linked))


def match_queries(recent: Sequence[Tensor], embeddings: Tensor) -> Tensor:
    """Return which query continues each track.

    recent      embeddings [Q, C] of the tracks in the last frames, none before the first one
    embeddings  [Q, C] of the queries of a frame
    Returns [Q] int64, each query once.
    """
    if not recent:
        return torch.arange(len(embeddings))
    memory = torch.stack(list(recent)).mean(dim=0)
    agreement = F.normalize(memory, dim=1) @ F.normalize(embeddings, dim=1).T
    _, columns = assign(agreement.double().numpy())
    return torch.from_numpy(columns)


def _boxes(
    found: ObjectOutputs, geometry: ImageGeometry, is_square: bool, protocol: Protocol
) -> Tensor:
    """Return the boxes [Q, 4] xyxy in pixels of the original frame."""
    boxes = found.boxes_cxcywh[0].float().cpu()
    if protocol.released_boxes:
        return scale_boxes(cxcywh_to_xyxy(boxes), geometry.original)
    return geometry.boxes_to_original(boxes, clip=is_square)


def _cut_masks(found: ObjectOutputs, outputs: GleeOutputs) -> tuple[MaskCells, ...]:
    """Compute the masks of all queries, and keep what is needed of them."""
    logits = torch.einsum("qc,chw->qhw", found.kernels[0], outputs.mask_features[0])
    logits = (logits + found.kernel_bias[0, :, None, None]).float().cpu()
    positive = logits > 0
    counts = positive.sum(dim=(1, 2)).tolist()
    cut = []
    for mask, box, count in zip(
        logits, mask_to_boxes(positive).long().tolist(), counts, strict=True
    ):
        left, top = max(box[0] - MARGIN, 0), max(box[1] - MARGIN, 0)
        right, bottom = (box[2] + MARGIN, box[3] + MARGIN) if count else (left, top)
        cut.append(MaskCells(mask[top:bottom, left:right].clone(), left, top, count))
    return tuple(cut)


def _tracks(video: LinkedVideo, rows: Tensor, labels: Tensor, scores: Tensor) -> list[VideoTrack]:
    """Render the chosen tracks; one that was chosen with several names is rendered once."""
    distinct, place = rows.unique(return_inverse=True)
    masks = [_render(frame, distinct.tolist()) for frame in video.frames]
    boxes = torch.stack([frame.boxes for frame in video.frames]).double()  # [T, Q, 4]
    pixels = torch.tensor([[one.positive for one in frame.masks] for frame in video.frames])
    return [
        VideoTrack(
            track=row,
            label=label,
            score=score,
            masks=[frame[at] for frame in masks],
            boxes=boxes[:, row].numpy(),
            pixels=pixels[:, row].numpy(),
        )
        for row, label, score, at in zip(
            rows.tolist(), labels.tolist(), scores.tolist(), place.tolist(), strict=True
        )
    ]


def _render(frame: LinkedFrame, rows: Sequence[int]) -> list[Rle | None]:
    """Return the masks of some tracks in one frame at the original size."""
    found: list[Rle | None] = []
    for row in rows:
        mask = frame.masks[row]
        height, width = mask.cells.shape
        cells = torch.full(frame.grid, OUTSIDE)
        cells[mask.top : mask.top + height, mask.left : mask.left + width] = mask.cells
        pixels, _ = render_masks(
            cells[None],
            padded=frame.geometry.padded,
            resized=frame.geometry.content,
            original=frame.geometry.original,
        )
        found.append(encode_rle(pixels)[0] if pixels.any() else None)
    return found
