"""Names and expressions, checked."""

from collections.abc import Sequence

from glee.prompts.entries import plain

CLEANING = str.maketrans("-/", "  ", ".,'!?\"()*#:;")


def clean_expression(text: str) -> str:
    """Return an expression in the form that the released weights were trained with.

    Lower case; the characters . , ' ! ? " ( ) * # : ; are deleted; - and / become spaces.
    """
    return text.lower().translate(CLEANING)


def read_categories(values: Sequence[str]) -> tuple[str, ...]:
    """Check names and strip the spaces around them."""
    if isinstance(values, str):
        split = [part.strip() for part in values.split(",")]
        raise TypeError(
            f"categories must be a list of names, got the string {values!r}; "
            f"write categories={split!r}"
        )
    names = _texts("categories", values)
    first: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in first:
            raise ValueError(f"categories[{i}] repeats categories[{first[name]}] ({name!r})")
        first[name] = i
    return names


def read_expressions(value: str | Sequence[str]) -> tuple[str, ...]:
    """Check expressions and strip the spaces around them; two may be the same."""
    expressions = _texts("expression", [value] if isinstance(value, str) else value)
    for expression in expressions:
        if not clean_expression(expression).strip():
            raise ValueError(f"expression {expression!r} has no word in it")
    return expressions


def _texts(name: str, values: Sequence[str]) -> tuple[str, ...]:
    listed = plain(values)
    if not isinstance(listed, list):
        raise TypeError(f"{name} must be a list of strings, got {type(values).__name__}")
    for i, value in enumerate(listed):
        if not isinstance(value, str):
            raise TypeError(f"{name}[{i}] must be a string, got {value!r}")
        if not value.strip():
            raise ValueError(f"{name}[{i}] is empty ({value!r}); give a name or leave it out")
    return tuple(value.strip() for value in listed)
