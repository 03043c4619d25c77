"""Colours of drawn objects: far apart from each other, with text that can be read on them."""

Color = tuple[int, int, int]

SHADE = 0.55  # brightness of a darker line beside a colour, as a share of the colour's

# Each colour is as far in CIELAB from all before it as saturated, not too dark colours can be, so
# that the first 20 are far apart (41 at least) and all 80 can be told apart (20 at least).
PALETTE = bytes.fromhex(
    "2693ff 00ff00 ff0000 808039 ff00ff 80004c 00ffff ffff00 00009e ff99f5 266e80 ff9900 a3ff99 "
    "ffa399 802600 ff0066 008000 0000ff 262f80 ffe373 99d6ff 189e76 9e009e 9d73ff 80574c 94e022 "
    "ff26a8 ff704d 985f9e bf7c39 00e05a e06596 9422e0 8e9e00 ffcc00 738abf bf3947 004cff e0bc87 "
    "4dffc9 73bfb8 91bf73 004d80 bf0013 f173ff e3ff73 ff6600 ad99ff 1dbf6e bf9900 00b2ff 005ae0 "
    "408039 4d0080 bf3997 4c806b bf0060 ff26d4 a056bf 9e4759 bf6b56 bf4d00 62bf39 87e0b4 805c26 "
    "566bbf 39a4bf ff7381 70ff4d 99f5ff ffb84d 802677 ff944d ccff00 800026 bfb556 6239bf 00ff99 "
    "9e855f 5c4c80"
)

# White text on plates up to this relative luminance (0..1), where its contrast is 3:1 at least as
# WCAG 2.1 asks for large text ("Contrast (Minimum)"); black text on brighter ones has 7:1.
WHITE_TEXT_LUMINANCE = 0.3


def track_color(key: int) -> Color:
    """Return the colour of a track, or of another number; always the same."""
    start = 3 * key % len(PALETTE)
    red, green, blue = PALETTE[start : start + 3]
    return red, green, blue


def shade(color: Color) -> Color:
    """Return a darker colour, for lines beside a colour."""
    red, green, blue = (round(SHADE * value) for value in color)
    return red, green, blue


def text_color(plate: Color) -> Color:
    """Return white or black, whichever is easy to read on the plate."""
    red, green, blue = ((value / 255) ** 2.2 for value in plate)  # close to sRGB's curve
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return (255, 255, 255) if luminance <= WHITE_TEXT_LUMINANCE else (0, 0, 0)
