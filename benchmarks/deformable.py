"""Time deformable sampling against one grid_sample per level, at the sizes of GLEE-Lite.

The image is 800 x 1344 pixels: an encoder layer has 22323 queries, one per cell, a decoder layer
has 300. Example: `python benchmarks/deformable.py --threads 2`
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from glee.model.interfaces import LevelShapes
from glee.model.layers.deformable import DeformableAttention, sample_deformable

SHAPES = ((100, 168), (50, 84), (25, 42), (13, 21))
CELLS = sum(h * w for h, w in SHAPES)
WIDTH, HEADS, POINTS = 256, 8, 4
SIZES = {"encoder": CELLS, "decoder": 300}

Sample = Callable[[Tensor, LevelShapes, Tensor, Tensor], Tensor]


def sample_by_level(
    values: Tensor, shapes: LevelShapes, locations: Tensor, weights: Tensor
) -> Tensor:
    """Compute what `sample_deformable` does in the usual way: grid_sample, stack, weigh, sum."""
    batch, _, heads, width = values.shape
    grids = 2 * locations - 1
    sampled = []
    for level, (cells, (h, w)) in enumerate(
        zip(values.split([h * w for h, w in shapes], dim=1), shapes, strict=True)
    ):
        image = cells.permute(0, 2, 3, 1).reshape(batch * heads, width, h, w)
        grid = grids[:, :, :, level].transpose(1, 2).flatten(0, 1)  # [B * M, Q, P, 2]
        sampled.append(F.grid_sample(image, grid, align_corners=False))
    flat = weights.transpose(1, 2).flatten(0, 1).flatten(2).unsqueeze(1)  # [B * M, 1, Q, K]
    read = (torch.stack(sampled, dim=-2).flatten(-2) * flat).sum(-1)  # [B * M, D, Q]
    return read.view(batch, heads * width, -1).transpose(1, 2)


def make_inputs(num_queries: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return values, locations and weights; samples lie some cells around their query's place."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(1, CELLS, HEADS, WIDTH // HEADS, generator=generator)
    if num_queries == CELLS:
        axes = [
            torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w, indexing="ij")
            for h, w in SHAPES
        ]
        centres = torch.cat([torch.stack([x, y], dim=-1).flatten(0, 1) for y, x in axes])
    else:
        centres = torch.rand(num_queries, 2, generator=generator)
    layout = (1, num_queries, HEADS, len(SHAPES), POINTS)
    offsets = 3 * torch.randn(*layout, 2, generator=generator)
    sizes = torch.tensor([(w, h) for h, w in SHAPES]).unsqueeze(1)
    weights = torch.rand(layout, generator=generator).flatten(3).softmax(-1).view(layout)
    return values, centres[:, None, None, None] + offsets / sizes, weights


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of a call in milliseconds, after one to warm up."""
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def run_forward(sample: Sample, inputs: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
    """Return the output."""
    values, locations, weights = inputs
    with torch.no_grad():
        return [sample(values, SHAPES, locations, weights)]


def run_backward(sample: Sample, inputs: tuple[Tensor, Tensor, Tensor]) -> list[Tensor]:
    """Return the gradients of the output's sum for values, locations and weights."""
    values, locations, weights = (tensor.detach().requires_grad_() for tensor in inputs)
    read = sample(values, SHAPES, locations, weights)
    return list(torch.autograd.grad(read.sum(), (values, locations, weights)))


def compare(
    title: str, forms: tuple[Sample, Sample], inputs: tuple[Tensor, Tensor, Tensor], repeats: int
) -> None:
    """Print a line for each pass: both times, their ratio, and how far the results differ."""
    ours, other = (partial(run_forward, form, inputs) for form in forms)
    difference = (ours()[0] - other()[0]).abs().max().item()
    print_line(f"{title}, forward", median_ms(ours, repeats), median_ms(other, repeats), difference)

    ours, other = (partial(run_backward, form, inputs) for form in forms)
    # A location within rounding of a cell centre may take the slope of either side, so the largest
    # difference says little here; that of the norms does.
    pairs = zip(ours(), other(), strict=True)
    difference = max(((a - b).norm() / b.norm()).item() for a, b in pairs)
    title = f"{title}, forward + backward"
    print_line(title, median_ms(ours, repeats), median_ms(other, repeats), difference)


def print_line(title: str, ours: float, other: float, difference: float) -> None:
    """Print one line of a table; times in milliseconds."""
    print(f"{title:38}{ours:10.1f}{other:14.1f}{other / ours:8.1f}{difference:12.1e}")


def print_head(title: str, ours: str, other: str) -> None:
    """Print the first line of a table."""
    print(f"\n{title:38}{ours:>10}{other:>14}{'ratio':>8}{'difference':>12}")


def processor() -> str:
    """Return the processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main() -> None:
    """Print the machine and both tables: two forms of sampling, two places of the projection."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--repeats", type=int, default=7, help="timed runs; the median is printed")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{processor()}, torch {torch.__version__}, {options.threads} threads, float32, B = 1")
    print("Median ms; difference: the largest (forward), relative norm (gradients).")

    print_head("sampling", "ours", "grid_sample")
    for size, num_queries in SIZES.items():
        inputs = make_inputs(num_queries)
        compare(size, (sample_deformable, sample_by_level), inputs, options.repeats)

    print_head("sampling and value projection", "last", "first")
    torch.manual_seed(0)
    layer = DeformableAttention(WIDTH, num_heads=HEADS, num_levels=len(SHAPES), num_points=POINTS)
    orders = (layer._sample_then_project, layer._project_then_sample)
    values, locations, weights = make_inputs(SIZES["decoder"])
    compare("decoder", orders, (values.flatten(2), locations, weights), options.repeats)


if __name__ == "__main__":
    main()
