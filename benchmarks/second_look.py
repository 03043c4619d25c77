"""Time predictions of nano with its second look at the best boxes and without it.

    python benchmarks/second_look.py [--model nano] [--photo FILE] [--threads 2]

Each figure is the least and the median of ten predictions of one photo, which is encoded anew each
time; in seconds of the clock. The last line is that of looking at twelve squares alone, so many of
them at once. Without --photo it is a drawn image, whose boxes are as many.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

import glee
from glee import Predictor, Prompts
from glee.data.drawn import drawn_images
from glee.images import ImageSource, load_image
from glee.model.backbones.pair import Pair

RUNS, WARM_UP = 10, 2
SQUARES, SIDE = 12, 160

PROMPTS = {
    "2 names": Prompts(categories=["person", "bicycle"]),
    "80 names": Prompts(categories=[f"thing {number}" for number in range(80)]),
    "1 expression": Prompts(expression="the person on the left"),
    "4 expressions": Prompts(
        expression=[f"the {n} person" for n in ("first", "2nd", "3rd", "4th")]
    ),
}


def time_each(
    predictor: Predictor, image: ImageSource, prompts: Prompts, *, look: bool
) -> list[float]:
    """Return the seconds of each prediction, without those to warm up."""
    taken = []
    for _ in range(WARM_UP + RUNS):
        start = time.perf_counter()
        predictor.predict(image, prompts, second_look=look)
        taken.append(time.perf_counter() - start)
    return taken[WARM_UP:]


@torch.no_grad()
def time_squares(predictor: Predictor, at_once: int) -> list[float]:
    """Return the seconds of each look at twelve squares, so many of them at once."""
    backbone, taken = predictor.model.backbone, []
    assert isinstance(backbone, Pair)
    squares, boxes = torch.randn(SQUARES, 3, SIDE, SIDE), torch.full((SQUARES, 4), 0.5)
    for _ in range(WARM_UP + RUNS):
        start = time.perf_counter()
        for part in zip(squares.split(at_once), boxes.split(at_once), strict=True):
            backbone.look(*part)
        taken.append(time.perf_counter() - start)
    return taken[WARM_UP:]


def main() -> None:
    """Print a line for each kind of prompt."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="nano", help="as glee.load takes it")
    parser.add_argument("--photo", type=Path, help="what to predict on")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    predictor = glee.load(options.model, device="cpu")
    image = options.photo or drawn_images(1, side=384)[0].frames[0].image
    height, width = load_image(image).shape[:2]
    print(
        f"{options.model}, {height}x{width}, {options.threads} threads, torch {torch.__version__}"
    )
    for name, prompts in PROMPTS.items():
        once, twice = (time_each(predictor, image, prompts, look=look) for look in (False, True))
        cells = [f"{min(some):.3f} {statistics.median(some):.3f}" for some in (once, twice)]
        print(f"{name:14} without {cells[0]}  with {cells[1]} s (least, median)")
    cells = [f"{n}: {statistics.median(time_squares(predictor, n)):.3f}" for n in (1, 3, 6, 12)]
    print(f"{SQUARES} squares, at once {', '.join(cells)} s (median)")


if __name__ == "__main__":
    main()
