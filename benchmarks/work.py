"""Count the multiply-adds of one forward pass, by module, with PyTorch's own FLOP counter.

    python benchmarks/work.py [--model lite] [--size 800 1344] [--names 80]

Nothing is computed: the tensors are fake ones, with sizes only. Names are cached, as they are from
the second image on. The counter does not see gathers, so bilinear samples are listed by themselves.
"""

import argparse
import math

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from glee.config import GleeConfig, lite, plus, pro
from glee.model.build import build_glee
from glee.model.fold import fold_frozen_norms
from glee.model.interfaces import PromptBatch, TextTokens

PRESETS = {"lite": lite, "plus": plus, "pro": pro}
TOKENS_PER_NAME = 257 / 80  # of COCO's names, start and end tokens included
MASKS = 100


class OneImage(nn.Module):
    """A network with all that one image needs, as children whose work is counted one by one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor, text: TextTokens) -> torch.Tensor:
        """Detect by names, and compute the masks of the best queries."""
        outputs = self.network(pixels, PromptBatch(text))
        kernels = outputs.final.kernels[:, :MASKS]
        return torch.einsum("bqc,bchw->bqhw", kernels, outputs.mask_features)


def count(config: GleeConfig, size: tuple[int, int], names: int) -> dict[str, float]:
    """Return the multiply-adds of each module, in units of 10^9."""
    with torch.device("meta"):
        network = fold_frozen_norms(build_glee(config).eval())
    with FakeTensorMode(allow_non_fake_inputs=True):
        network = network.to_empty(device="cpu")
        pixels = torch.empty(1, 3, *size)
        tokens = torch.empty(round(names * TOKENS_PER_NAME), config.width)
        text = network.names_prompt(tokens, torch.empty(names, config.width))
        counter = FlopCounterMode(display=False, depth=2)
        # The plain form of attention is made of products, which the counter knows.
        with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            OneImage(network)(pixels, text)
    found = {
        module: sum(operations.values()) / 2e9
        for module, operations in counter.get_flop_counts().items()
    }
    modules = [name for name, _ in OneImage(network).network.named_children()]
    parts = {m: found[f"OneImage.network.{m}"] for m in modules if f"OneImage.network.{m}" in found}
    parts["masks"] = found["Global"] - found["OneImage.network"]
    parts["all"] = found["Global"]
    parts["bilinear samples"] = count_samples(config, size)
    return parts


def count_samples(config: GleeConfig, size: tuple[int, int]) -> float:
    """Return the multiply-adds, 10^9, of gathering the pixel decoder's deformable samples."""
    finest = 8  # stride of the finest of the levels, which then double
    cells = sum(
        math.ceil(size[0] / stride) * math.ceil(size[1] / stride)
        for stride in (finest * 2**level for level in range(config.num_levels))
    )
    decoder = config.pixel_decoder
    corners = 4 * config.num_levels * decoder.num_points
    return decoder.num_layers * cells * corners * config.width / 1e9


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", choices=PRESETS, default="lite")
    parser.add_argument("--size", type=int, nargs=2, default=(800, 1344), metavar=("H", "W"))
    parser.add_argument("--names", type=int, default=80)
    options = parser.parse_args()
    size = (options.size[0], options.size[1])
    config = PRESETS[options.model]()
    print(f"{options.model}, {size[0]}x{size[1]}, {options.names} cached names, {MASKS} masks")
    for module, giga in count(config, size, options.names).items():
        print(f"{module:24} {giga:8.2f} GMAC")


if __name__ == "__main__":
    main()
