"""Prompts on the command line: the arguments for text and marks, and what they stand for."""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import glee
from glee.cli.inputs import exists

if TYPE_CHECKING:
    from glee import Prompts


def add_prompts(group: "argparse._ArgumentGroup") -> None:
    """Add the arguments that say what to look for."""
    group.add_argument(
        "--text",
        action="append",
        default=[],
        metavar="NAMES",
        help='names of objects, separated by commas: "dog, red bus"',
    )
    group.add_argument(
        "--names",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="text file of names, one a line, for many of them or for names with commas",
    )
    group.add_argument(
        "--expression", action="append", default=[], help="description of one object"
    )
    group.add_argument(
        "--point",
        action="append",
        default=[],
        type=_clicks,
        metavar="X,Y[;X,Y...]",
        help='one object: a point on it, or several points on it, "120,85;130,90"',
    )
    group.add_argument(
        "--box",
        action="append",
        default=[],
        type=_numbers(4),
        metavar="X1,Y1,X2,Y2",
        help="one object: a box around it",
    )
    group.add_argument(
        "--scribble",
        action="append",
        default=[],
        type=_line,
        metavar="X,Y,X,Y,...",
        help="one object: a line on it",
    )
    group.add_argument(
        "--mask",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="one object: a picture of it, white on black, of the image's size",
    )


def read_prompts(options: argparse.Namespace, *, index_masks: bool = False) -> "Prompts":
    """Return the prompts that the arguments stand for.

    index_masks  whether a palette picture shows one object for each of its numbers
    Raises ValueError or FileNotFoundError for those that make no sense.
    """
    from glee.images import load_index_masks, load_mask  # noqa: PLC0415

    _require_text("--text", options.text)
    _require_text("--expression", options.expression)
    names = [name for text in options.text for name in _split_names(text)]
    names += [name for path in options.names for name in _read_names(path)]
    return glee.Prompts(
        categories=names,
        expression=options.expression,
        points=options.point,
        boxes=options.box,
        scribbles=options.scribble,
        masks=[
            mask
            for path in options.mask
            for mask in (load_index_masks(path) if index_masks else [load_mask(path)])
        ],
    )


def mark_names(prompts: "Prompts") -> list[str]:
    """Return what to call each mark: its kind, and its number among those of the kind."""
    kinds = [type(mark).__name__.removesuffix("Mark").lower() for mark in prompts.marks]
    seen: Counter[str] = Counter()
    names = []
    for kind in kinds:
        seen[kind] += 1
        names.append(f"{kind} {seen[kind]}")
    return names


def _split_names(text: str) -> list[str]:
    """Split names at their commas; one comma may follow the last."""
    names = text.split(",")
    return names[:-1] if len(names) > 1 and not names[-1].strip() else names


def _read_names(path: Path) -> list[str]:
    """Read names from a text file in UTF-8, one a line; empty lines are skipped.

    Raises FileNotFoundError, or ValueError for a file without names or in another encoding.
    """
    if not exists(path):
        raise FileNotFoundError(f"names file {str(path)!r} not found; looked in {Path.cwd()}")
    if path.expanduser().is_dir():
        raise ValueError(f"--names {path} is a folder; give a text file with one name a line")
    try:
        lines = path.expanduser().read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"names file {str(path)!r} must be text in UTF-8: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"names file {str(path)!r} has no name in it; write one a line")
    return names


def _require_text(option: str, values: Sequence[str]) -> None:
    """Refuse words that are not text in the encoding that the shell works in."""
    for value in values:
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise ValueError(
                f"{option} {value!a} cannot be read as text in this shell's encoding; set "
                "LC_ALL to a UTF-8 locale such as C.UTF-8, or PYTHONUTF8=1"
            )


def _numbers(count: int) -> Callable[[str], tuple[float, ...]]:
    def parse(text: str) -> tuple[float, ...]:
        try:
            values = tuple(float(part) for part in text.split(","))
        except ValueError:
            values = ()
        if len(values) != count:
            raise argparse.ArgumentTypeError(f"needs {count} numbers with commas, got {text!r}")
        return values

    return parse


def _clicks(text: str) -> list[tuple[float, ...]]:
    return [_numbers(2)(click) for click in text.split(";")]


def _line(text: str) -> list[tuple[float, float]]:
    values = _numbers(text.count(",") + 1)(text)
    if len(values) % 2:
        raise argparse.ArgumentTypeError(f"needs pairs x,y, got {len(values)} numbers")
    return list(zip(values[::2], values[1::2], strict=True))
