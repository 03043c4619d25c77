"""Whole videos by the original's procedure, for benchmarks; see `ReferenceTracks`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glee.inference.predictor import Predictor
from glee.inference.preprocess import ImageGeometry
from glee.inference.text import Vocabulary
from glee.model.interfaces import GleeOutputs
from glee.model.mask_maps import some_masks
from glee.ops.boxes import cxcywh_to_xyxy, scale_boxes, suppress_overlaps
from glee.ops.masks import render_masks
from glee.results import Instances
from glee.tracking.reference import ChosenTracks, ReferenceConfig, ReferenceTracks
from glee.video.follower import Frame, FrameSize


def follow_offline(
    predictor: Predictor,
    frames: Callable[[], Iterable[Frame]],
    names: Sequence[str] | Vocabulary,
    *,
    config: ReferenceConfig | None = None,
    masks: bool = True,
) -> Iterator[Instances]:
    """Yield the objects of each frame of a whole video, as the original finds them.

    frames  returns the frames from the first one on; it is called twice
    masks   whether masks are wanted
    Scores and labels are the same in all frames, and `track_ids` number the pairs of track and
    name from 1, best first. Boxes are not cut at the border.

    Which tracks are worth a mask is known only at the end. So that memory does not grow with the
    frames, the network sees each of them twice, and only then are the masks computed.
    Raises ValueError for a frame of another size than those before, and if the second call of
    `frames` gives another number of them.
    """
    config = ReferenceConfig() if config is None else config
    vocabulary = names if isinstance(names, Vocabulary) else predictor.vocabulary(names)
    tracks, size = ReferenceTracks(), FrameSize()
    for frame in frames():
        (outputs,) = predictor.detect_each(
            size.encode(predictor, frame), vocabulary, masks=False, second_look=False
        )
        tracks.step(outputs.final.embeddings[0], outputs.final.logits[0])
    if len(tracks) == 0:
        return
    chosen, count = tracks.choose(config), 0
    for count, frame in enumerate(frames(), start=1):
        if count > len(tracks):
            break
        encoded = size.encode(predictor, frame)
        (outputs,) = predictor.detect_each(
            encoded, vocabulary, masks=masks or config.nms is not None, second_look=False
        )
        queries = tracks.query(count - 1, chosen.tracks)
        placed = place_tracks(outputs, encoded.geometry, chosen, queries, config)
        found = placed.to_instances(vocabulary.names, encoded.geometry)
        yield found if masks else replace(found, masks=None)
    if count != len(tracks):
        raise ValueError(f"frames gave {len(tracks)} frames first, and another number then")


@dataclass(frozen=True, slots=True)
class PlacedTracks:
    """The chosen tracks in one frame.

    ids     [N] int64, place among the chosen tracks, from 1
    labels  [N] int64
    scores  [N]
    boxes   [N, 4] xyxy in pixels of the frame
    masks   [N, H, W] bool
    """

    ids: Tensor
    labels: Tensor
    scores: Tensor
    boxes: Tensor
    masks: Tensor | None

    def to_instances(self, names: tuple[str, ...], geometry: ImageGeometry) -> Instances:
        """Return them as Instances."""
        return Instances(
            boxes=self.boxes,
            scores=self.scores,
            labels=self.labels,
            names=names,
            image_size=geometry.original,
            masks=self.masks,
            track_ids=self.ids,
        )


def place_tracks(
    outputs: GleeOutputs,
    geometry: ImageGeometry,
    chosen: ChosenTracks,
    queries: Tensor,
    config: ReferenceConfig,
    *,
    row: int = 0,
) -> PlacedTracks:
    """Return where chosen tracks are in one frame, row `row` of a batch.

    queries  [N] int64, which query each of them is there
    """
    final, device = outputs.final.float(), outputs.final.logits.device
    queries = queries.to(device)
    boxes_cxcywh = final.boxes_cxcywh[row, queries]
    if config.released_boxes:
        boxes = scale_boxes(cxcywh_to_xyxy(boxes_cxcywh), geometry.original)
    else:
        boxes = geometry.boxes_to_original(boxes_cxcywh, clip=False)
    logits = some_masks(outputs, row, queries)
    scores = chosen.scores.to(device)
    kept = torch.arange(len(queries), device=device)
    if config.nms is not None:
        kept = kept[(logits > 0).flatten(1).sum(dim=1) > config.min_cells]
        kept = kept[_unrivalled(boxes[kept], scores[kept], config.nms, config.released_nms)]
    masks = None
    if outputs.mask_features.shape[2]:
        masks = render_masks(
            logits[kept],
            padded=geometry.padded,
            resized=geometry.content,
            original=geometry.original,
        )
    return PlacedTracks(kept + 1, chosen.labels.to(device)[kept], scores[kept], boxes[kept], masks)


def _unrivalled(boxes: Tensor, scores: Tensor, overlap: float, shifted: bool) -> Tensor:
    """Return the rows of boxes [N, 4] that no better one overlaps by more, in order."""
    if shifted:
        size = boxes[:, 2:] - boxes[:, :2]
        boxes = boxes - torch.cat([size, size], dim=1) / 2
    return suppress_overlaps(boxes, scores, torch.zeros_like(scores), overlap).sort().values
