"""Identities of a whole video, where several followers number their objects by themselves."""

from collections.abc import Sequence

RETIRED = "retired"
"""What takes the place of a follower that is gone."""


class Identities:
    """Gives each object of each follower a number of its own, from 1 in order of appearance."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, int], int] = {}
        self._owners: list[tuple[str, int]] = []  # of number 1, 2, ...

    def number(self, follower: str, ids: Sequence[int]) -> list[int]:
        """Return the numbers of some objects of a follower; new ones get the next numbers."""
        for i in ids:
            if (follower, i) not in self._numbers:
                self._owners.append((follower, i))
                self._numbers[follower, i] = len(self._owners)
        return [self._numbers[follower, i] for i in ids]

    def retire(self, follower: str) -> None:
        """Never give the numbers of a follower's objects again; another one begins in its place."""
        for number, (kind, own) in enumerate(self._owners):
            if kind == follower:
                self._owners[number] = (RETIRED, own)
                del self._numbers[kind, own]

    def own(self, number: int) -> tuple[str, int] | None:
        """Return the follower of an object and its id there, None if there is no such object."""
        return self._owners[number - 1] if 1 <= number <= len(self._owners) else None

    def state(self) -> list[list[str | int]]:
        """Return all that is known as plain JSON values, in the order of the numbers."""
        return [[follower, own] for follower, own in self._owners]

    def restore(self, state: Sequence[Sequence[str | int]]) -> None:
        """Go on from what `state` returned."""
        self._owners = [(str(follower), int(own)) for follower, own in state]
        self._numbers = {key: number for number, key in enumerate(self._owners, start=1)}
