"""Pasting: what covers shows its own pixels, soft borders mix, and what is outside is cut off."""

import numpy as np
from PIL import Image

from glee.data.corpus.layers import Layer, Pose, place, seen_masks
from glee.data.corpus.looks import paint


def test_soft_borders_mix_the_object_and_what_is_behind() -> None:
    pixels = np.array([[[200, 100, 0, 255], [200, 100, 0, 51], [9, 9, 9, 0]]], dtype=np.uint8)
    layer = Layer(pixels, (1, 0), pixels[..., 3] >= 128, 1)
    background = Image.new("RGB", (5, 1), (100, 50, 250))

    canvas = paint(background, [layer], np.random.default_rng(0), shadows=False)

    expected = [(100, 50, 250), (200, 100, 0), (120, 60, 200), (100, 50, 250), (100, 50, 250)]
    assert [tuple(pixel) for pixel in canvas[0].tolist()] == expected


def test_a_shadow_only_darkens() -> None:
    picture = Image.new("RGBA", (60, 40), (255, 255, 255, 255))
    layer = place(picture, Pose(center=(10, 50), side=60), (100, 120))
    background = Image.new("RGB", (120, 100), (90, 120, 150))

    canvas = paint(background, [layer], np.random.default_rng(1), shadows=True)

    outside = np.ones((100, 120), dtype=bool)
    outside[layer.window] = False
    assert (canvas[outside] <= (90, 120, 150)).all()
    assert (canvas[outside] < (90, 120, 150)).any()
    assert (canvas[layer.window] == 255).all()


def test_what_lies_outside_is_cut_off_and_counted() -> None:
    layer = place(
        Image.new("RGBA", (40, 20), (0, 0, 0, 255)), Pose(center=(0, 95), side=40), (100, 100)
    )

    masks, boxes = seen_masks([layer], (100, 100))

    assert (layer.corner, layer.solid.shape, layer.area) == ((0, 85), (15, 20), 800)
    assert boxes.tolist() == [[0, 85, 20, 100]]
    assert len(masks) == 1


def test_what_lies_beyond_the_canvas_is_not_seen_at_all() -> None:
    layer = place(
        Image.new("RGBA", (40, 20), (0, 0, 0, 255)), Pose(center=(500, -90), side=40), (100, 100)
    )

    masks, boxes = seen_masks([layer], (100, 100))

    assert not layer.solid.size
    assert boxes.tolist() == [[0, 0, 0, 0]]
    assert len(masks) == 1
