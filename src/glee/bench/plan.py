"""Plan: which sizes of input are measured, and how often."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from glee.bench.timing import Repeat
from glee.config import ResizeConfig

Axis = Literal["stages", "vocabulary", "resolution", "batch", "marks", "length"]
"""What is varied; "stages" varies nothing, but tells the parts of one image apart."""

AXES: tuple[Axis, ...] = get_args(Axis)

SHARES = (0.25, 0.5, 0.75, 1.0)  # of the sides of the images that the network was made for


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchPlan:
    """What is measured. Each axis varies one size and leaves the others as they are.

    size          (height, width) of the image in pixels, as the network sees it
    names         names in the prompt
    objects       objects whose masks are made, fewer if the network finds fewer
    vocabularies  numbers of names
    resolutions   sizes of images
    batches       images that pass the network together
    marks         marked objects in one image
    lengths       frames of a clip
    repeat        how often each is timed
    axes          what to vary

    Raises ValueError for a number below 1 and for an axis that is none.
    """

    size: tuple[int, int]
    resolutions: tuple[tuple[int, int], ...]
    names: int = 80
    objects: int = 10
    vocabularies: tuple[int, ...] = (1, 10, 80, 365, 1203, 5000)
    batches: tuple[int, ...] = (1, 2, 4, 8)
    marks: tuple[int, ...] = (1, 2, 4, 8, 16)
    lengths: tuple[int, ...] = (1, 8, 32)
    repeat: Repeat = field(default_factory=Repeat)
    axes: tuple[Axis, ...] = AXES

    def __post_init__(self) -> None:
        numbers = {
            "size": self.size,
            "resolutions": sum(self.resolutions, ()),
            "names": (self.names,),
            "objects": (self.objects,),
            "vocabularies": self.vocabularies,
            "batches": self.batches,
            "marks": self.marks,
            "lengths": self.lengths,
        }
        for name, values in numbers.items():
            if any(value < 1 for value in values):
                raise ValueError(f"{name} must be at least 1, got {min(values)}")
        if wrong := set(self.axes) - set(AXES):
            raise ValueError(f"unknown axis {min(wrong)!r}; choose from {', '.join(AXES)}")


def full_plan(resize: ResizeConfig) -> BenchPlan:
    """Return a plan that measures all, with images of the size that the network was made for."""
    if resize.square:  # the canvas has one size
        side = (resize.longest, resize.longest)
        return BenchPlan(size=side, resolutions=(side,))
    sides = [_scaled(resize, share) for share in SHARES]
    return BenchPlan(size=sides[-1], resolutions=tuple(sides))


def quick_plan(resize: ResizeConfig) -> BenchPlan:
    """Return a plan with fewer and smaller inputs: images of half the size, three runs of each."""
    full = full_plan(resize)
    size = full.size if resize.square else _scaled(resize, SHARES[1])
    return replace(
        full,
        size=size,
        resolutions=full.resolutions[:2],
        vocabularies=(1, 80, 1203),
        batches=(1, 2),
        marks=(1, 4),
        lengths=(1, 4),
        repeat=Repeat(runs=3, least=2, seconds=5.0),
    )


def choose_plan(
    resize: ResizeConfig,
    *,
    quick: bool = False,
    axes: Sequence[Axis] | None = None,
    runs: int | None = None,
    size: str | None = None,
) -> BenchPlan:
    """Return a plan from what a user wishes.

    resize  how the model resizes images
    quick   fewer and smaller inputs
    axes    what to vary, all if not given
    runs    timed runs of each at most
    size    of the image, such as "800x1333", height before width

    Raises ValueError for a size that is none, and as BenchPlan does.
    """
    plan = quick_plan(resize) if quick else full_plan(resize)
    if axes:
        plan = replace(plan, axes=tuple(dict.fromkeys(axes)))
    if runs is not None:
        if runs < 1:
            raise ValueError(f"runs must be at least 1, got {runs}")
        repeat = replace(plan.repeat, runs=runs, least=min(runs, plan.repeat.least))
        plan = replace(plan, repeat=repeat)
    return plan if size is None else replace(plan, size=_parse_size(size))


def _parse_size(text: str) -> tuple[int, int]:
    height, separator, width = text.partition("x")
    if not (separator and height.isdecimal() and width.isdecimal()):
        raise ValueError(f"size must be HxW in pixels, such as 800x1333, got {text!r}")
    return int(height), int(width)


def _scaled(resize: ResizeConfig, share: float) -> tuple[int, int]:
    return max(1, round(resize.shortest * share)), max(1, round(resize.longest * share))
