"""Run lengths: many of COCO's compressed masks at once, looked through before they are trusted."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MOST_CHARACTERS = 7
"""Of one run length, with 5 bits each."""


def find_unfilled(counts: Sequence[bytes], areas: NDArray[np.int64]) -> int | None:
    """Return which mask is the first whose runs are damaged or do not fill it, None if all do.

    counts  N compressed run lengths
    areas   [N] pixels of each mask, those of 0 included

    pycocotools trusts what it reads: with runs that add up to more or less than the mask has
    pixels, comparing two masks does not end, and a code that breaks off reads foreign memory.
    """
    if not len(counts):
        return None
    lengths = np.array([len(one) for one in counts], dtype=np.int64)
    if not lengths.all():
        return int(np.flatnonzero(lengths == 0)[0])
    codes = np.frombuffer(b"".join(counts), dtype=np.uint8).astype(np.int64) - 48
    ends = lengths.cumsum()
    last = (codes & 0x20) == 0
    start = np.flatnonzero(np.concatenate([[True], last[:-1]]))  # of each run's characters
    length = np.diff(start, append=len(codes))
    wrong = [
        np.flatnonzero((codes < 0) | (codes >= 1 << 6)),
        ends[~last[ends - 1]] - 1,
        start[length > MOST_CHARACTERS],
    ]
    if len(places := np.concatenate(wrong)):
        return int(np.searchsorted(ends, places.min(), side="right"))
    place = np.arange(len(codes)) - np.repeat(start, length)
    steps = np.add.reduceat((codes & 0x1F) << (5 * place), start)
    steps -= np.where((codes[last] & 0x10) != 0, np.int64(1) << (5 * length), 0)
    owners = np.searchsorted(ends, start, side="right")  # the mask of each run
    firsts = np.searchsorted(owners, np.arange(len(counts)))
    runs = _add_up(steps, owners, np.arange(len(steps)) - firsts[owners])
    unfilled = np.add.reduceat(runs, firsts) != areas
    unfilled |= np.minimum.reduceat(runs, firsts) < 0
    return int(np.flatnonzero(unfilled)[0]) if unfilled.any() else None


def _add_up(
    steps: NDArray[np.int64], owners: NDArray[np.int64], places: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return run lengths [R]: from a mask's fourth on, steps add to the run two places before.

    owners  [R] the mask of each run, rising
    places  [R] place of each run in its mask
    """
    runs = steps.copy()
    for first in (1, 2):
        rows = np.flatnonzero((places >= first) & (places % 2 == first % 2))
        sums, own = steps[rows].cumsum(), owners[rows]
        begin = np.searchsorted(own, own)  # where the runs of the same mask begin
        runs[rows] = sums - (sums - steps[rows])[begin]
    return runs
