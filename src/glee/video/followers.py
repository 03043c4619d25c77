"""All that is followed in one video: names, expressions and marks, each by its own follower."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from glee.inference.predictor import EncodedImage, Predictor
from glee.prompts import Prompts
from glee.results import Instances
from glee.tracking.config import TrackerConfig
from glee.tracking.snapshot import Snapshot
from glee.video.expressions import ExpressionFollower
from glee.video.identities import Identities
from glee.video.marks import MarkFollower
from glee.video.names import NameFollower

NAMES, EXPRESSIONS, MARKS = "names", "expressions", "marks"

NO_PROMPT = -1  # in `prompt_ids`, of objects that were found by a name beside marked ones


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowConfig:
    """How objects are followed.

    threshold    objects are reported where they score higher, 0..1. If not given: 0.2 for names;
                 the best object is always reported for expressions and marks
    tracker      of objects found by names; its `birth_score` is the threshold if one is given
    masks        whether masks are wanted
    max_objects  of names in one frame, at most
    consistency  how much an expression's object should resemble that of the frame before
    refresh      score from which a marked object is learned anew in each frame; None never
    exclusive    whether a pixel belongs to one marked object at most
    """

    threshold: float | None = None
    tracker: TrackerConfig | None = None
    masks: bool = True
    max_objects: int = 100
    consistency: float = 1.0
    refresh: float | None = None
    exclusive: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold < 1:
            raise ValueError(f"threshold must lie in 0..1 (1 excluded), got {self.threshold}")

    def tracker_config(self) -> TrackerConfig:
        """Return how the objects of names are tracked."""
        config = self.tracker or TrackerConfig()
        if self.threshold is None:
            return config
        keep = min(config.keep_score, self.threshold)
        return replace(config, birth_score=self.threshold, keep_score=keep)

    def at_once(self) -> "FollowConfig":
        """Return the same, but that names' objects are reported from the first sighting on."""
        return replace(self, tracker=replace(self.tracker_config(), birth_frames=1))


class Followers:
    """Follows everything that the prompts of one video ask for; all share each encoded frame."""

    def __init__(self, predictor: Predictor, config: FollowConfig) -> None:
        self._predictor, self._config = predictor, config
        self._names: NameFollower | None = None
        self._expressions: ExpressionFollower | None = None
        self._marks: MarkFollower | None = None
        self._mark_names: tuple[str, ...] = ()
        self._identities = Identities()

    @property
    def active(self) -> bool:
        """Whether anything is looked for."""
        return not (self._names is None and self._expressions is None and self._marks is None)

    def nothing(self, image_size: tuple[int, int]) -> Instances:
        """Return what is found where nothing is looked for."""
        empty = Instances.empty((), image_size, masks=self._config.masks)
        return replace(empty, track_ids=torch.zeros(0, dtype=torch.int64))

    def set_text(self, prompts: Prompts) -> None:
        """Look for other names or expressions from the next frame on; marked objects stay.

        Raises ValueError for marks among the prompts.
        """
        if prompts.marks:
            raise ValueError("prompts holds marks; give them to mark, with the frame they are on")
        if prompts.expressions:
            self._names = None
            if self._expressions is None:
                self._identities.retire(EXPRESSIONS)
                self._expressions = self._new_expressions(prompts.expressions)
            else:
                self._expressions.change(prompts.expressions)
            return
        self._expressions = None
        if self._names is None:
            self._identities.retire(NAMES)
            self._names = self._new_names(prompts.categories)
        else:
            self._names.change(prompts.categories)

    def mark(
        self, frame: EncodedImage, prompts: Prompts, track_ids: Sequence[int] | None = None
    ) -> Instances:
        """Follow marked objects, or correct some, and return them as they are on this frame.

        Raises ValueError for prompts without marks, for marks that do not lie on the frame, and
        for `track_ids` of objects that were not marked before.
        """
        if not prompts.marks:
            raise ValueError("prompts has no points, boxes, scribbles or masks to follow")
        names, follower = self._mark_names, self._marks
        if follower is None:
            names, follower = prompts.names, self._new_marks(prompts.names)
        elif prompts.names not in (names, ("object",)):
            raise ValueError(
                f"marks are named {', '.join(prompts.names)}, but those before "
                f"{', '.join(names)}; give the same names to all, or none"
            )
        own = None if track_ids is None else [self._own(i) for i in track_ids]
        marked = Prompts.from_json({**prompts.to_json(), "categories": [], "expression": []})
        found = follower.mark(frame, marked, own)
        self._mark_names, self._marks = names, follower  # not if the marks were refused
        return self._numbered(MARKS, found)

    def remove(self, track_id: int) -> None:
        """Stop following a marked object.

        Raises ValueError for an object that was not marked.
        """
        own = self._own(track_id)
        assert self._marks is not None  # else it had no own id
        self._marks.remove(own)

    def step(self, frame: EncodedImage) -> Instances:
        """Return the objects of the next frame, those of names before marked ones."""
        found = [
            self._numbered(kind, follower.step(frame))
            for kind, follower in (
                (NAMES, self._names),
                (EXPRESSIONS, self._expressions),
                (MARKS, self._marks),
            )
            if follower is not None
        ]
        if not found:
            return self.nothing(frame.geometry.original)
        return found[0] if len(found) == 1 else _join(found)

    def named(self, found: Instances) -> frozenset[int]:
        """Return the numbers of those objects that were found by a name."""
        numbers = [] if found.track_ids is None else found.track_ids.tolist()
        owners = {number: self._identities.own(number) for number in numbers}
        return frozenset(n for n, owner in owners.items() if owner and owner[0] == NAMES)

    def state(self) -> Snapshot:
        """Return all that is known of the objects."""
        values: dict[str, Any] = {
            "identities": self._identities.state(),
            "mark_names": list(self._mark_names),
        }
        tensors: dict[str, Tensor] = {}
        for kind, follower in (
            (NAMES, self._names),
            (EXPRESSIONS, self._expressions),
            (MARKS, self._marks),
        ):
            if follower is not None:
                own = follower.state()
                values[kind] = own.values
                tensors |= {f"{kind}.{name}": value for name, value in own.tensors.items()}
        return Snapshot(values, tensors)

    def restore(self, state: Snapshot, text: Prompts | None) -> None:
        """Go on from what `state` returned.

        text  the names or expressions that were looked for then, None if there were none
        """
        self._mark_names = tuple(state.values["mark_names"])
        self._names = self._expressions = self._marks = None
        if text is not None:
            self.set_text(text)
        self._identities.restore(state.values["identities"])
        if MARKS in state.values:
            self._marks = self._new_marks(self._mark_names)
        if self._names is not None:
            self._names.restore(_part(state, NAMES))
        if self._expressions is not None:
            self._expressions.restore(_part(state, EXPRESSIONS))
        if self._marks is not None:
            self._marks.restore(_part(state, MARKS))

    def _new_names(self, names: Sequence[str]) -> NameFollower:
        return NameFollower(
            self._predictor,
            names,
            config=self._config.tracker_config(),
            masks=self._config.masks,
            max_objects=self._config.max_objects,
        )

    def _new_expressions(self, expressions: Sequence[str]) -> ExpressionFollower:
        return ExpressionFollower(
            self._predictor,
            expressions,
            consistency=self._config.consistency,
            threshold=self._config.threshold,
            masks=self._config.masks,
        )

    def _new_marks(self, names: Sequence[str]) -> MarkFollower:
        return MarkFollower(
            self._predictor,
            names,
            threshold=self._config.threshold,
            refresh_above=self._config.refresh,
            exclusive=self._config.exclusive,
            masks=self._config.masks,
        )

    def _own(self, track_id: int) -> int:
        """Return the mark follower's id of an object."""
        match self._identities.own(track_id):
            case (kind, own) if kind == MARKS:
                return own
        raise ValueError(f"track {track_id} is no marked object; give the id of one")

    def _numbered(self, kind: str, found: Instances) -> Instances:
        assert found.track_ids is not None  # followers promise them
        numbers = self._identities.number(kind, found.track_ids.tolist())
        ids = torch.tensor(numbers, dtype=torch.int64, device=found.device)
        return replace(found, track_ids=ids)


def _part(state: Snapshot, kind: str) -> Snapshot:
    """Return the state of one follower out of that of all."""
    return Snapshot(state.values[kind], part_of(state.tensors, f"{kind}."))


def part_of(tensors: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `start`, by what follows."""
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _join(found: Sequence[Instances]) -> Instances:
    """Put the objects of several followers together; labels index all names."""
    names = tuple(dict.fromkeys(name for one in found for name in one.names))
    places = [torch.tensor([names.index(name) for name in one.names]) for one in found]

    def joined(pick: Callable[[Instances], Tensor | None]) -> Tensor | None:
        parts = [part for part in map(pick, found) if part is not None]
        return torch.cat(parts) if len(parts) == len(found) else None

    labels = [p.to(one.device)[one.labels] for p, one in zip(places, found, strict=True)]
    return Instances(
        boxes=torch.cat([one.boxes for one in found]),
        scores=torch.cat([one.scores for one in found]),
        labels=torch.cat(labels),
        names=names,
        image_size=found[0].image_size,
        masks=joined(lambda one: one.masks),
        prompt_ids=joined(_prompt_ids),
        track_ids=joined(lambda one: one.track_ids),
    )


def _prompt_ids(one: Instances) -> Tensor:
    return torch.full_like(one.labels, NO_PROMPT) if one.prompt_ids is None else one.prompt_ids
