from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from glee.draw import draw_instances
from glee.results import Instances

GREY = (90, 90, 90)


def squares(*boxes: tuple[int, int, int, int], size: tuple[int, int] = (120, 160)) -> Instances:
    """Return one object per box, each with its own name and its box as mask."""
    masks = torch.zeros(len(boxes), *size, dtype=torch.bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes, strict=True):
        mask[max(top, 0) : bottom, max(left, 0) : right] = True
    return Instances(
        boxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        scores=torch.linspace(0.9, 0.1, len(boxes)),
        labels=torch.arange(len(boxes)),
        names=tuple(f"name {n}" for n in range(len(boxes))),
        image_size=size,
        masks=masks,
    )


def canvas(found: Instances) -> Image.Image:
    height, width = found.image_size
    return Image.new("RGB", (width, height), GREY)


def changed(found: Instances, **shown: bool) -> NDArray[np.bool_]:
    """Return which pixels [H, W] the drawing of some parts changes."""
    parts: dict[str, Any] = dict.fromkeys(("boxes", "masks", "names", "scores"), False) | shown
    picture = draw_instances(canvas(found), found, **parts)
    return (np.asarray(picture) != GREY).any(-1)


def box_color(found: Instances, n: int) -> tuple[int, int, int]:
    """Return the colour in which the left side of box n is drawn."""
    picture = draw_instances(canvas(found), found, masks=False, names=False, scores=False)
    left, top, _, bottom = found.boxes[n].int().tolist()
    red, green, blue = np.asarray(picture)[(top + bottom) // 2, left].tolist()
    return red, green, blue


def plate_area(picture: Image.Image, color: tuple[int, int, int]) -> int:
    return int((np.asarray(picture) == color).all(-1).sum())


def test_the_image_itself_stays_as_it_is() -> None:
    found = squares((20, 20, 80, 80))
    image = canvas(found)
    pixels = np.asarray(image).copy()

    for source in (image, pixels):
        draw_instances(source, found)
        assert (np.asarray(source) == GREY).all()


def test_arrays_and_pil_images_give_the_same_picture() -> None:
    found = squares((20, 20, 80, 80), (60, 50, 150, 110))

    from_array = draw_instances(np.asarray(canvas(found)), found)

    assert from_array.tobytes() == draw_instances(canvas(found), found).tobytes()
    assert (from_array.mode, from_array.size) == ("RGB", (160, 120))


def test_no_objects_leave_the_picture_unchanged() -> None:
    for masks in (True, False):
        found = Instances.empty(["car"], (120, 160), masks=masks)
        assert draw_instances(canvas(found), found).tobytes() == canvas(found).tobytes()


def test_a_mask_is_tinted_inside_and_nothing_else_is_touched() -> None:
    pixels = changed(squares((20, 30, 80, 90)), masks=True)

    assert pixels[30:90, 20:80].all()
    assert not pixels[:27].any()
    assert not pixels[93:].any()
    assert not pixels[:, :17].any()
    assert not pixels[:, 83:].any()


def test_the_image_shows_through_a_mask() -> None:
    found = squares((0, 0, 160, 120))
    stripes = np.zeros((120, 160, 3), dtype=np.uint8)
    stripes[::2] = 200

    picture = np.asarray(draw_instances(stripes, found, boxes=False, names=False, scores=False))

    assert (picture[10].astype(int) - picture[11] > 80).all()


def test_a_box_is_an_outline() -> None:
    pixels = changed(squares((20, 30, 80, 90)), boxes=True)

    assert pixels[30, 20:80].all()
    assert pixels[89, 20:80].all()
    assert pixels[30:90, 20].all()
    assert pixels[30:90, 79].all()
    assert not pixels[35:85, 25:75].any()


def test_parts_can_be_left_out() -> None:
    found = squares((20, 30, 80, 90))

    assert not changed(found).any()
    assert changed(found, names=True).sum() > changed(found, scores=True).sum() > 0
    assert not changed(replace(found, masks=None), masks=True).any()


def test_a_small_object_inside_a_large_one_lies_on_top_in_any_order() -> None:
    found = squares((70, 50, 90, 70), (0, 0, 160, 120))
    small, large = (np.array(box_color(found, n)) for n in (0, 1))

    for one in (found, found[torch.tensor([1, 0])]):
        picture = draw_instances(canvas(one), one, boxes=False, names=False, scores=False)
        inside = np.asarray(picture)[60, 80].astype(int)
        assert np.abs(inside - small).sum() < np.abs(inside - large).sum()


def test_equal_names_share_a_colour_and_others_do_not() -> None:
    found = squares((5, 5, 30, 30), (60, 5, 90, 30), (5, 60, 30, 90))
    found = replace(found, labels=torch.tensor([2, 0, 2]))

    assert box_color(found, 0) == box_color(found, 2) != box_color(found, 1)


def test_a_name_keeps_its_colour_when_other_objects_come_and_go() -> None:
    found = squares((5, 5, 30, 30), (60, 5, 90, 30), (5, 60, 30, 90))

    assert box_color(found[2], 0) == box_color(found, 2)


def test_tracks_decide_on_colours_before_prompts_and_prompts_before_names() -> None:
    found = squares((5, 5, 30, 30), (60, 5, 90, 30))
    prompted = replace(found, labels=torch.tensor([0, 0]), prompt_ids=torch.tensor([0, 1]))
    tracked = replace(prompted, track_ids=torch.tensor([7, 7]))

    assert box_color(prompted, 0) != box_color(prompted, 1)
    assert box_color(tracked, 0) == box_color(tracked, 1)


def test_objects_of_a_single_name_differ_in_colour() -> None:
    found = squares((5, 5, 30, 30), (60, 5, 90, 30))
    found = replace(found, names=("object",), labels=torch.tensor([0, 0]))

    assert box_color(found, 0) != box_color(found, 1)


def test_the_first_twenty_colours_can_be_told_apart() -> None:
    found = squares(*[(8 * n, 0, 8 * n + 8, 100) for n in range(20)])

    colors = np.array([box_color(found, n) for n in range(20)])

    apart = np.abs(colors[:, None] - colors).sum(-1)
    assert apart[~np.eye(20, dtype=bool)].min() > 60


def test_any_eighty_neighbouring_colours_can_be_told_apart() -> None:
    found = squares(*[(8 * n, 0, 8 * n + 8, 100) for n in range(80)], size=(120, 640))

    colors = np.array([box_color(found, n) for n in range(80)], dtype=float)

    # Also to the eye, by the weights of https://www.compuphase.com/cmetric.htm
    red = (colors[:, None, 0] + colors[:, 0]) / 2
    change = (colors[:, None] - colors) ** 2
    weights = np.stack([2 + red / 256, np.full_like(red, 4), 2 + (255 - red) / 256], axis=-1)
    apart = np.sqrt((weights * change).sum(-1))
    assert apart[~np.eye(80, dtype=bool)].min() > 35


def written(name: str, font: str | Path | None = None) -> Image.Image:
    """Return a picture with one name on it."""
    found = replace(squares((20, 60, 300, 110), size=(200, 400)), names=(name,))
    return draw_instances(canvas(found), found, scores=False, font=font)


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave Pillow its own font only."""
    monkeypatch.setattr("glee.fonts.FONT_FILES", ())


@pytest.mark.usefixtures("bare_system")
@pytest.mark.parametrize(
    ("name", "drawn"),
    [("café", "cafe"), ("cafe\u0301", "cafe"), ("狗", r"\u72d7"), ("a\n \tdog ", "a dog")],
)
def test_what_no_font_has_is_written_in_another_way(name: str, drawn: str) -> None:
    assert written(name).tobytes() == written(drawn).tobytes()


@pytest.mark.parametrize("name", ["café", "собака"])
def test_an_installed_font_is_taken_for_what_the_own_one_lacks(name: str) -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 12)
    except OSError:
        pytest.skip("needs DejaVuSans.ttf among the system's fonts")

    assert written(name).tobytes() == written(name, "DejaVuSans.ttf").tobytes()
    assert written("dog").tobytes() != written("dog", "DejaVuSans.ttf").tobytes()


def test_a_font_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match=r"font 'nowhere\.ttf' cannot be opened"):
        written("dog", Path("nowhere.ttf"))


def test_plates_of_objects_at_one_place_do_not_cover_each_other() -> None:
    found = squares(*[(250, 200, 330, 260)] * 8, size=(480, 640))
    together = draw_instances(canvas(found), found, boxes=False, masks=False)

    for n in range(8):
        alone = draw_instances(canvas(found), found[n], boxes=False, masks=False)
        color = box_color(found[n], 0)
        assert plate_area(together, color) > 0.98 * plate_area(alone, color) > 300


def test_a_plate_stays_inside_the_picture_wherever_the_object_is() -> None:
    places = [(x, y, x + 4, y + 4) for x in (-2, 80, 158) for y in (-2, 60, 118)]
    inner = changed(squares((60, 40, 100, 80)), names=True).sum()

    for place in places:
        assert changed(squares(place), names=True).sum() >= 0.95 * inner


def test_text_contrasts_with_its_plate() -> None:
    def luminance(color: NDArray[np.float64]) -> NDArray[np.float64]:
        linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
        return linear @ np.array([0.2126, 0.7152, 0.0722])

    for track in range(30):
        found = replace(squares((20, 60, 100, 110)), track_ids=torch.tensor([track]))
        picture = draw_instances(canvas(found), found, boxes=False, masks=False)
        drawn = np.asarray(picture)[changed(found, names=True, scores=True)] / 255
        plate = luminance(np.array(box_color(found, 0)) / 255)
        others = luminance(drawn)
        brighter, darker = np.maximum(others, plate) + 0.05, np.minimum(others, plate) + 0.05
        assert (brighter / darker).max() >= 3  # WCAG 2.1 for large text


def test_lines_and_text_grow_with_the_picture() -> None:
    small = squares((20, 60, 100, 110))
    large = replace(
        squares((200, 600, 1000, 1100), size=(1200, 1600)), names=small.names, scores=small.scores
    )

    lines = [changed(small, boxes=True)[90].sum(), changed(large, boxes=True)[900].sum()]
    text = [changed(found, names=True).sum() for found in (small, large)]

    assert lines[1] >= 2 * lines[0]
    assert text[1] > 5 * text[0]


def test_pictures_of_any_size_can_be_drawn_on() -> None:
    for size in ((1, 1), (1, 50), (32, 32), (700, 20)):
        found = squares((0, 0, size[1], size[0]), (0, 0, 1, 1), size=size)
        assert draw_instances(canvas(found), found).size == (size[1], size[0])


def test_boxes_that_leave_the_image_or_have_no_area_are_drawn_at_its_border() -> None:
    found = squares((-50, -50, 20, 20), (300, 40, 400, 60), (80, 80, 80, 80))

    pixels = changed(found, boxes=True)

    assert pixels[:20, 19].all()
    assert pixels[40:60, 159].all()
    assert pixels[80, 80]


def test_a_long_expression_is_cut_to_leave_the_picture_visible() -> None:
    found = replace(squares((60, 40, 100, 80)), names=("the dog on the left " * 20,))

    assert changed(found, names=True).any(0).sum() < 0.7 * 160


def test_a_long_name_is_cut_so_that_its_score_stays_visible() -> None:
    found = replace(squares((60, 40, 100, 80)), names=("the dog on the left " * 20,))
    sure, unsure = (replace(found, scores=torch.tensor([score])) for score in (0.91, 0.12))

    drawn = [draw_instances(canvas(one), one).tobytes() for one in (sure, unsure)]

    assert drawn[0] != drawn[1]


def test_names_hide_less_than_half_of_a_small_picture_and_the_best_object_keeps_its_own() -> None:
    found = squares(*[(10, 10, 50, 30)] * 6, size=(40, 60))

    alone, together = changed(found[0], names=True), changed(found, names=True)

    assert 0 < alone.mean() < together.mean() + 0.01 < 0.5


def test_a_name_and_its_score_are_written_as_one_line() -> None:
    found = squares((20, 60, 100, 110))
    line = Image.new("L", (160, 40))
    ImageDraw.Draw(line).text((5, 5), "name 0 0.90", fill=255, font=ImageFont.load_default(11))

    picture = np.asarray(draw_instances(canvas(found), found, boxes=False, masks=False))

    drawn, expected = (picture == 255).all(-1), np.asarray(line) == 255
    assert (cut_out(drawn) == cut_out(expected)).all()


def cut_out(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part [h, w] of some pixels [H, W] that holds all that are True."""
    y, x = pixels.nonzero()
    return pixels[y.min() : y.max() + 1, x.min() : x.max() + 1]


def test_a_rotated_photo_is_turned_upright_first() -> None:
    found = squares((20, 30, 80, 90))
    sideways = canvas(found).transpose(Image.Transpose.ROTATE_90)
    sideways.getexif()[0x0112] = 6  # turn by 90 degrees clockwise

    assert (
        draw_instances(sideways, found).tobytes() == draw_instances(canvas(found), found).tobytes()
    )


def test_palette_grey_and_transparent_images_are_drawn_in_colour() -> None:
    found = squares((20, 30, 80, 90))

    for mode in ("P", "L", "RGBA"):
        assert draw_instances(canvas(found).convert(mode), found).mode == "RGB"


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the whole text is compared
        draw_instances(Image.new("RGB", (120, 160)), squares((20, 30, 80, 90)))

    assert str(error.value) == (
        "image has (height, width) (160, 120) but instances were found in (120, 160); "
        "draw on the image that was predicted"
    )


def test_what_is_not_an_rgb_image_is_refused() -> None:
    found = squares((20, 30, 80, 90))

    with pytest.raises(
        ValueError, match=r"image must be \[H, W, 3\] uint8, got \[120, 160\] uint8"
    ):
        draw_instances(np.zeros((120, 160), dtype=np.uint8), found)
    with pytest.raises(ValueError, match=r"got \[120, 160, 3\] float64"):
        draw_instances(np.zeros((120, 160, 3)), found)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"image must be a PIL image or a numpy array .*, got str"):
        draw_instances("street.jpg", found)  # type: ignore[arg-type]
