import numpy as np
import pytest
from pycocotools.mask import encode

from glee.ops.masks import Rle, check_rle
from glee.ops.run_lengths import find_unfilled

SIZE = (9, 14)


def drawn(count: int, seed: int = 0) -> list[bytes]:
    """Return the compressed run lengths of random masks, empty and full ones among them."""
    random = np.random.default_rng(seed)
    masks = [random.random(SIZE) < share for share in np.linspace(0, 1, count)]
    return [encode(np.asfortranarray(mask.astype(np.uint8)))["counts"] for mask in masks]


def areas(count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.full(count, SIZE[0] * SIZE[1])


def test_masks_that_pycocotools_wrote_fill_their_images() -> None:
    assert find_unfilled(drawn(50), areas(50)) is None
    assert find_unfilled([], areas(0)) is None


@pytest.mark.parametrize("wrong", [b"", b"0", b"P", b"PPYo1", b"\x00", b"o" * 20 + b"0"])
def test_the_first_mask_that_is_wrong_is_told(wrong: bytes) -> None:
    counts = drawn(6)
    counts[4] = counts[5] = wrong

    assert find_unfilled(counts, areas(6)) == 4


def test_a_mask_of_another_size_is_wrong() -> None:
    assert find_unfilled(drawn(3), areas(3) + np.array([0, 1, 0])) == 1


def is_right(counts: bytes) -> bool:
    try:
        check_rle(Rle(size=list(SIZE), counts=counts.decode()))
    except ValueError:
        return False
    return True


def test_damaged_masks_are_found_as_one_by_one() -> None:
    random = np.random.default_rng(1)
    for counts in drawn(400, seed=2):
        place = random.integers(len(counts))
        damaged = counts[:place] + bytes([random.integers(40, 120)]) + counts[place + 1 :]
        assert (find_unfilled([damaged], areas(1)) is None) == is_right(damaged)
