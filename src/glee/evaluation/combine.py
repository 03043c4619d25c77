"""Results of several sequences in one: the tracking measures are held as sums, which add up."""

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Result = TypeVar("Result", bound="DataclassInstance")


def combine_sequences(results: Iterable[Result]) -> Result:
    """Add the results of several sequences, or of several classes, object by object.

    results  all of one kind: Hota, Clear, Identity or Teta
    A benchmark's number is that of the sum, not the mean over its sequences.

    Raises ValueError if there are none.
    """
    results = list(results)
    if not results:
        raise ValueError("results is empty; give the result of at least one sequence")
    kind = type(results[0])
    return kind(
        **{
            field.name: sum(getattr(result, field.name) for result in results)
            for field in fields(kind)
        }
    )
