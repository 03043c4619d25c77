"""Which frames of a clip are trained on together."""

import torch


def choose_frames(length: int, count: int, *, reach: int, generator: torch.Generator) -> list[int]:
    """Draw frames near each other from a clip.

    length  frames of the clip
    count   how many to draw
    reach   how far the others may be from the first one drawn, in frames

    Returns frames in order. The first is drawn evenly, the others from those within its reach;
    only among these may one come twice. Of a clip of one frame all are that one.
    From IDOL (arXiv:2207.10661), whose key and reference frames are drawn so.
    Raises ValueError for numbers below 1.
    """
    if min(length, count, reach) < 1:
        raise ValueError(
            f"length, count and reach must be at least 1, got {length}, {count} and {reach}"
        )
    first = int(torch.randint(length, (), generator=generator))
    near = [n for n in range(first - reach, first + reach + 1) if 0 <= n < length and n != first]
    rows = torch.randint(max(len(near), 1), (count - 1,), generator=generator).tolist()
    return sorted([first, *((near or [first])[row] for row in rows)])
