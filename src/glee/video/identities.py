"""Identities of a whole video, where several followers number their objects by themselves."""

from collections.abc import Sequence


class Identities:
    """Gives each object of each follower a number of its own, from 1 in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}

    def number(self, follower: str, ids: Sequence[int]) -> list[int]:
        """Return the numbers of some objects of a follower; new ones get the next numbers."""
        return [self._numbers.setdefault((follower, i), len(self._numbers) + 1) for i in ids]

    def own(self, number: int) -> tuple[str, int] | None:
        """Return the follower of an object and its id there, None if there is no such object."""
        return next((key for key, value in self._numbers.items() if value == number), None)

    def state(self) -> list[list[str | int]]:
        """Return all that is known as plain JSON values, in the order of the numbers."""
        return [[follower, own] for follower, own in self._numbers]

    def restore(self, state: Sequence[Sequence[str | int]]) -> None:
        """Go on from what `state` returned."""
        self._numbers = {(str(f), int(i)): n for n, (f, i) in enumerate(state, start=1)}
