"""The original's tracking, for benchmarks: every query of the first frame is a track to the end."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.tracking.association import pair_all


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceConfig:
    """What the released code does differently for different benchmarks.

    max_tracks      so many pairs of track and name are kept; 30 for video instance segmentation
    once            each track appears once, with its best name, as for TAO
    nms             boxes of a frame that overlap a better one by more are left out, 0..1; None
                    keeps all. For TAO 0.5, whatever their names
    min_cells       with `nms`, tracks are left out of frames in which their mask has not more
                    cells than this, at the resolution of the network's masks
    released_boxes  repeat a mistake of the released code: boxes are placed as if the network's
                    input had no padding
    released_nms    repeat another: overlaps are those of boxes shifted by half of their size to
                    the left and up
    """

    max_tracks: int = 30
    once: bool = False
    nms: float | None = None
    min_cells: int = 5
    released_boxes: bool = False
    released_nms: bool = False

    def __post_init__(self) -> None:
        if self.max_tracks < 1:
            raise ValueError(f"max_tracks must be at least 1, got {self.max_tracks}")
        if self.nms is not None and not 0 <= self.nms <= 1:
            raise ValueError(f"nms must lie in 0..1, got {self.nms}")


def tao_reference() -> ReferenceConfig:
    """Return how the released code prepares results for TAO."""
    return ReferenceConfig(max_tracks=50, once=True, nms=0.5)


@dataclass(frozen=True, slots=True)
class ChosenTracks:
    """The tracks of a video that are reported, best first; one may stand there with several names.

    tracks  [N] int64, the query of the first frame that each began with
    labels  [N] int64, which name
    scores  [N] 0..1, the same for all frames
    """

    tracks: Tensor
    labels: Tensor
    scores: Tensor


class ReferenceTracks:
    """Links all queries of each frame with those of the frame before, one to one.

    MinVIS (arXiv:2208.02245, "tracking by query matching"), as in GLEE's released code. Nothing is
    born and nothing dies. The choice of tracks reads the whole video, so that this is no way to
    track a stream. Of each frame only the order of its queries is kept, 2 bytes a query.
    """

    MEAN_OVER = 3
    """Frames over which the embeddings of a track are averaged."""

    def __init__(self) -> None:
        self._recent: list[Tensor] = []
        self._logits = torch.zeros(0)
        self._orders: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._orders)

    @property
    def memory(self) -> Tensor:
        """The embedding [Q, C] that each track has by now: the mean of its last ones."""
        return torch.stack(self._recent).mean(dim=0)

    def step(self, embeddings: Tensor, logits: Tensor) -> Tensor:
        """Link the queries of the next frame.

        embeddings  [Q, C]
        logits      [Q, K]  of the same names in all frames
        Returns order [Q] int64: which query continues each track.
        Raises ValueError if their numbers differ from those of the frames before.
        """
        embeddings, logits = embeddings.detach().float().cpu(), logits.detach().float().cpu()
        if not self._recent:
            self._logits = torch.zeros_like(logits)
            order = torch.arange(len(embeddings))
        else:
            self._require_same(embeddings, logits)
            known = F.normalize(self.memory, dim=1)
            _, order = pair_all(known @ F.normalize(embeddings, dim=1).T)
        self._recent = [*self._recent[1 - self.MEAN_OVER :], embeddings[order]]
        self._logits = self._logits + logits[order]
        self._orders.append(order.to(torch.int16))
        return order

    def query(self, frame: int, tracks: Tensor) -> Tensor:
        """Return which queries [N] int64 of a frame some tracks [N] are."""
        return self._orders[frame].long()[tracks]

    def choose(self, config: ReferenceConfig) -> ChosenTracks:
        """Return the tracks with the best mean logits over all frames so far.

        Raises ValueError if there was no frame.
        """
        if not self._orders:
            raise ValueError("there was no frame, so there are no tracks to choose from")
        mean = self._logits / len(self._orders)  # [Q, K]
        if config.once:
            best, names = mean.max(dim=1)
            best, tracks = best.topk(min(config.max_tracks, len(best)))
            return ChosenTracks(tracks, names[tracks], best.sigmoid())
        best, index = mean.flatten().topk(min(config.max_tracks, mean.numel()))
        return ChosenTracks(index // mean.shape[1], index % mean.shape[1], best.sigmoid())

    def _require_same(self, embeddings: Tensor, logits: Tensor) -> None:
        known = self._recent[0].shape, self._logits.shape
        if (embeddings.shape, logits.shape) != known:
            raise ValueError(
                f"embeddings {list(embeddings.shape)} and logits {list(logits.shape)} must have "
                f"the shapes of the frames before, {list(known[0])} and {list(known[1])}"
            )
