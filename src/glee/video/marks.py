"""Marked objects, followed: what was shown on one frame is found again in the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from glee.inference.predictor import EncodedImage, Predictor
from glee.inference.remembered import Remembered, join_remembered
from glee.ops.masks import mask_to_boxes
from glee.prompts import MaskMark, Prompts
from glee.results import Instances
from glee.tracking.snapshot import Snapshot
from glee.video.best import BestObjects, best_objects, join_best
from glee.video.follower import Frame, FrameSize
from glee.video.object_memory import ObjectMemory

DEFAULT_NAMES = ("object",)


@dataclass(frozen=True, slots=True)
class _Found:
    """Objects in one frame, R of them.

    ids    [R] int64
    best   what the network says
    given  [R, H, W] bool, masks that were given on this frame, empty where none was
    """

    ids: Tensor
    best: BestObjects
    given: Tensor

    def take(self, rows: Tensor) -> "_Found":
        return _Found(self.ids[rows], self.best.take(rows), self.given[rows])


class MarkFollower:
    """Follows objects that were marked by a mask, box, click or scribble on any frame.

    Tokens of each marked object are computed once, on the frame of its mark, and prompt all
    other frames (GLEE, arXiv:2312.09158, "video object segmentation"). Objects do not see each
    other.

    names          what the marked objects may be called; labels index them
    threshold      objects are left out of frames in which they do not score higher, 0..1; None
                   reports them always, as benchmarks want
    refresh_above  after frames in which an object scores higher than this, its tokens are
                   computed anew from its mask there, at the price of a second pass; None never
    exclusive      every pixel belongs to one object at most: to the one of highest probability
                   p, where that exceeds the product of all (1 - p)
    masks          whether masks are wanted
    """

    def __init__(
        self,
        predictor: Predictor,
        names: Sequence[str] = DEFAULT_NAMES,
        *,
        threshold: float | None = None,
        refresh_above: float | None = None,
        exclusive: bool = False,
        masks: bool = True,
    ) -> None:
        self.predictor, self.threshold, self.masks = predictor, threshold, masks
        self.refresh_above, self.exclusive = refresh_above, exclusive
        self.names = Prompts(categories=names).categories
        self._size = FrameSize()
        self._memory = ObjectMemory()
        self._last: dict[int, Tensor] = {}  # the box [4] that each object had last
        # What was found on the frame of the last marks, should it be the next one.
        self._marked: tuple[EncodedImage, _Found] | None = None

    @property
    def track_ids(self) -> tuple[int, ...]:
        """The ids of the objects that are followed, in the order in which they were marked."""
        return self._memory.ids

    def mark(
        self, frame: Frame, prompts: Prompts, track_ids: Sequence[int] | None = None
    ) -> Instances:
        """Start to follow objects, or correct some, and return them as they are on this frame.

        frame      where they were marked; if the very same EncodedImage is given to `step` next,
                   nothing is computed twice
        prompts    marks only, one per object
        track_ids  of each mark, above 0; an id that is followed already is corrected: the new
                   mark replaces what was known. If not given, objects get new ids.

        Objects that were marked by a mask have just that mask on this frame, and score 1.
        Raises ValueError for marks that do not lie on the frame, a mask of another size than the
        frame, text beside the marks, and for ids that are not one per mark.
        """
        if not prompts.marks or prompts.categories or prompts.expressions:
            raise ValueError(
                "prompts must hold marks only: points, boxes, scribbles or masks; names are given "
                "to MarkFollower itself"
            )
        ids = self._memory.choose_ids(len(prompts.marks), track_ids)
        encoded = self._size.encode(self.predictor, frame)
        found, tokens = self._show(encoded, self._with_names(prompts), ids)
        self._memory.keep(ids, tokens)
        earlier = self._seen_on(encoded)
        if earlier is None:
            self._marked = encoded, found
        else:
            others = earlier.take(~torch.isin(earlier.ids, found.ids))
            self._marked = encoded, _join(others, found)
        return self._without_masks(self._report(encoded, found))

    def remove(self, track_id: int) -> None:
        """Stop following an object; its id is not given again.

        Raises ValueError if no such object is followed.
        """
        self._memory.remove(track_id)
        self._last.pop(track_id, None)

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame, in the order in which they were marked.

        See `Follower`. Without any objects there are none.
        """
        encoded = self._size.encode(self.predictor, frame)
        ids, seen = self._memory.ids, self._seen_on(encoded)
        parts = [] if seen is None else [seen.take(torch.isin(seen.ids, self._tensor(ids)))]
        self._marked = None
        there = [i for part in parts for i in part.ids.tolist()]
        rest = [i for i in ids if i not in there]
        if rest:
            parts.append(self._find(encoded, rest))
        if not ids:
            return self._nothing(encoded)
        found = parts[0] if len(parts) == 1 else _join(*parts)
        order = [ids.index(i) for i in found.ids.tolist()]
        reported = self._report(encoded, found.take(self._tensor(order).argsort()))
        if self.refresh_above is not None:
            self._refresh(encoded, reported, self.refresh_above, marked=there)
        return self._without_masks(reported)

    def state(self) -> Snapshot:
        """Return what is known of the objects, a few megabytes for each; see `Follower`."""
        memory = self._memory.state()
        own = {"names": list(self.names), "image_size": self._size.state()}
        last = {i: box.tolist() for i, box in self._last.items()}
        return Snapshot({**memory.values, **own, "last": last}, memory.tensors)

    def restore(self, state: Snapshot) -> None:
        """Go on from a state; see `Follower`. The network must be the same, too."""
        if state.values.get("names") != list(self.names):
            raise ValueError(
                f"the state is of objects called {state.values.get('names')}, but this "
                f"MarkFollower calls them {list(self.names)}"
            )
        self._memory.restore(state, self.names, self.predictor.device)
        self._size.restore(state.values.get("image_size"))
        last = state.values.get("last", {})
        if not isinstance(last, dict) or not all(_is_box(box) for box in last.values()):
            raise ValueError("state is not that of marked objects: 'last' must hold boxes by id")
        device = self.predictor.device
        self._last = {int(i): torch.tensor(box, device=device) for i, box in last.items()}
        self._marked = None

    def _seen_on(self, encoded: EncodedImage) -> _Found | None:
        """Return what was found when objects were marked on this very frame."""
        if self._marked is None or self._marked[0] is not encoded:
            return None
        return self._marked[1]

    def _without_masks(self, found: Instances) -> Instances:
        """Leave out masks that only `_refresh` needs."""
        return found if self.masks else replace(found, masks=None)

    def _with_names(self, prompts: Prompts) -> Prompts:
        if self.names == DEFAULT_NAMES:
            return prompts
        return Prompts.from_json({**prompts.to_json(), "categories": self.names})

    def _show(
        self, encoded: EncodedImage, prompts: Prompts, ids: Sequence[int]
    ) -> tuple[_Found, Remembered]:
        """Return the marked objects of a frame, and what is to be remembered of them."""
        best, known = [], []
        for outputs in self.predictor.detect_each(encoded, prompts):
            best.append(best_objects(outputs, encoded.geometry))
            known.append(self.predictor.remembered(self.names, outputs))
        given = torch.zeros(len(ids), *encoded.geometry.original, dtype=torch.bool)
        for row, mark in zip(given, prompts.marks, strict=True):
            if isinstance(mark, MaskMark):
                row.copy_(torch.tensor(mark.mask))
        found = _Found(self._tensor(ids), join_best(best), given.to(self.predictor.device))
        return found, join_remembered(known)

    def _find(self, encoded: EncodedImage, ids: Sequence[int]) -> _Found:
        """Return remembered objects of a frame."""
        wanted = self.masks or self.refresh_above is not None
        tokens = replace(self._memory.tokens_of(ids), near=self._near(ids))
        passes = self.predictor.detect_each(encoded, tokens, masks=wanted)
        best = join_best(best_objects(outputs, encoded.geometry) for outputs in passes)
        given = torch.zeros(1, 1, 1, dtype=torch.bool, device=best.scores.device)
        return _Found(self._tensor(ids), best, given.expand(len(ids), *encoded.geometry.original))

    def _near(self, ids: Sequence[int]) -> Tensor | None:
        """Return where objects were last, [P, 4]; None if that is not known of all."""
        if any(i not in self._last for i in ids):
            return None
        return torch.stack([self._last[i] for i in ids])

    def _report(self, encoded: EncodedImage, found: _Found) -> Instances:
        """Return what was found as Instances; with masks also where only `_refresh` reads them."""
        given = found.given.flatten(1).any(dim=1)
        scores = torch.where(given, 1.0, found.best.scores)
        boxes = torch.where(given[:, None], mask_to_boxes(found.given), found.best.boxes)
        self._last |= dict(zip(found.ids.tolist(), boxes, strict=True))
        if self.threshold is not None:
            boxes = boxes[scores > self.threshold]
            found = found.take(scores > self.threshold)
            given, scores = given[scores > self.threshold], scores[scores > self.threshold]
        best, masks = found.best, None
        if self.masks or self.refresh_above is not None:
            if self.exclusive:
                masks = best.render_exclusive(encoded.geometry, found.given)
            else:
                rendered = best.render(encoded.geometry)
                masks = torch.where(given[:, None, None], found.given, rendered)
        # Where objects are looked for next stays where the network found them.
        exact = best.exact_boxes(masks if self.masks else None, encoded.geometry)
        return Instances(
            boxes=torch.where(given[:, None], boxes, exact),
            scores=scores,
            labels=best.labels,
            names=self.names,
            image_size=encoded.geometry.original,
            masks=masks,
            embeddings=best.embeddings,
            track_ids=found.ids,
        )

    def _refresh(
        self, encoded: EncodedImage, found: Instances, above: float, *, marked: Sequence[int]
    ) -> None:
        """Learn anew what sure objects look like, from their masks on this frame."""
        if found.masks is None or found.track_ids is None:
            raise AssertionError("objects that are learned anew have masks and ids")
        old = ~torch.isin(found.track_ids, self._tensor(marked))
        sure = (found.scores > above) & found.masks.flatten(1).any(dim=1) & old
        if sure.any():
            prompts = self._with_names(Prompts(masks=found.masks[sure]))
            tokens = self.predictor.remember(encoded, prompts)
            self._memory.keep(found.track_ids[sure].tolist(), tokens)

    def _nothing(self, encoded: EncodedImage) -> Instances:
        nothing = Instances.empty(self.names, encoded.geometry.original, masks=self.masks)
        return replace(nothing.to(self.predictor.device), track_ids=self._tensor([]))

    def _tensor(self, values: Sequence[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.predictor.device)


def _is_box(value: object) -> bool:
    """Say whether a JSON value is four numbers."""
    sides = 4
    return (
        isinstance(value, list)
        and len(value) == sides
        and all(type(number) in (int, float) for number in value)
    )


def _join(first: _Found, second: _Found) -> _Found:
    return _Found(
        torch.cat([first.ids, second.ids]),
        join_best([first.best, second.best]),
        torch.cat([first.given, second.given]),
    )
