"""Referring expressions, followed: the one object that each text describes, in every frame."""

from collections.abc import Sequence

import torch
from torch import Tensor

from glee.inference.predictor import Predictor
from glee.prompts import Prompts
from glee.results import Instances
from glee.tracking.snapshot import Snapshot
from glee.video.best import best_objects, join_best
from glee.video.follower import Frame, FrameSize


class ExpressionFollower:
    """Follows the one object that each expression describes.

    GLEE (arXiv:2312.09158, "referring video segmentation"): to the probability that a query is
    the object, its similarity to the query that was chosen in the frame before is added. Which
    similarity the paper does not say; here it is the cosine of their embeddings.

    expressions  `prompt_ids` are their places, from 0; each has an own track id, from 1, which
                 it keeps when others change
    consistency  weight of the similarity; 0 takes each frame by itself
    threshold    objects are left out of frames in which they do not score higher, 0..1; None
                 reports the best one always, as the paper does
    masks        whether masks are wanted
    """

    def __init__(
        self,
        predictor: Predictor,
        expressions: str | Sequence[str],
        *,
        consistency: float = 1.0,
        threshold: float | None = None,
        masks: bool = True,
    ) -> None:
        if consistency < 0:
            raise ValueError(f"consistency must not be negative, got {consistency}")
        self.predictor, self.consistency = predictor, consistency
        self.threshold, self.masks = threshold, masks
        self._size = FrameSize()
        self._texts: tuple[str, ...] = ()
        self._ids: tuple[int, ...] = ()
        self._next_id = 1
        self._previous: dict[int, Tensor] = {}
        self.change(expressions)

    def change(self, expressions: str | Sequence[str]) -> None:
        """Look for other expressions from the next frame on; those that stay keep their object."""
        texts = Prompts(expression=expressions).expressions
        free = list(zip(self._texts, self._ids, strict=True))
        ids = []
        for text in texts:
            known = next((own for own, _ in enumerate(free) if free[own][0] == text), None)
            ids.append(self._new_id() if known is None else free.pop(known)[1])
        self._texts, self._ids = texts, tuple(ids)
        self._previous = {i: value for i, value in self._previous.items() if i in ids}

    def step(self, frame: Frame) -> Instances:
        """Return the objects of the next frame, in the order of the expressions.

        Each frame is looked at twice by networks that can (`predict(second_look=True)`): which
        object is meant is decided anew in each.
        """
        encoded = self._size.encode(self.predictor, frame)
        prompts = Prompts(expression=self._texts)
        parts, first = [], 0
        for outputs in self.predictor.detect_each(encoded, prompts, masks=self.masks):
            rows, width = len(outputs.final.logits), outputs.final.embeddings.shape[2]
            nothing = torch.zeros(width, device=outputs.final.logits.device)
            previous = [self._previous.get(i, nothing) for i in self._ids[first : first + rows]]
            parts.append(
                best_objects(
                    outputs,
                    encoded.geometry,
                    previous=torch.stack(previous),
                    consistency=self.consistency,
                )
            )
            first += rows
        best = join_best(parts)
        self._previous = dict(zip(self._ids, best.embeddings, strict=True))
        places = torch.arange(len(self._ids), device=best.scores.device)
        if self.threshold is not None:
            places = places[best.scores > self.threshold]
        best = best.take(places)
        masks = best.render(encoded.geometry) if self.masks else None
        return Instances(
            boxes=best.exact_boxes(masks, encoded.geometry),
            scores=best.scores,
            labels=places,
            names=self._texts,
            image_size=encoded.geometry.original,
            masks=masks,
            embeddings=best.embeddings,
            prompt_ids=places,
            track_ids=torch.tensor(self._ids, device=places.device)[places],
        )

    def state(self) -> Snapshot:
        """Return what is known of the objects; see `Follower`. The expressions are part of it."""
        values = {
            "expressions": list(self._texts),
            "ids": list(self._ids),
            "next_id": self._next_id,
            "image_size": self._size.state(),
        }
        return Snapshot(values, {str(i): value.cpu() for i, value in self._previous.items()})

    def restore(self, state: Snapshot) -> None:
        """Go on from a state; see `Follower`."""
        values, device = state.values, self.predictor.device
        try:
            texts, ids = tuple(values["expressions"]), tuple(int(i) for i in values["ids"])
            known = {i: state.tensors[str(i)].to(device) for i in ids if str(i) in state.tensors}
            next_id, size = int(values["next_id"]), values["image_size"]
        except (KeyError, TypeError) as error:
            raise ValueError(f"state is not that of an ExpressionFollower: {error!r}") from error
        if len(texts) != len(ids):
            raise ValueError(f"the state has {len(texts)} expressions but {len(ids)} ids")
        self._size.restore(size)
        self._texts, self._ids, self._next_id, self._previous = texts, ids, next_id, known

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1
