"""Feature pyramid on top of a plain vision transformer."""

import torch.nn.functional as F
from torch import Tensor, nn

from glee.model.interfaces import FeaturePyramid
from glee.model.layers.norm import ChannelLayerNorm


class ChannelNormConv(nn.Module):
    """Convolution followed by a layer norm over the channels.

    x [B, C_in, h, w] -> [B, C, h, w]
    """

    def __init__(self, width_in: int, width: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width_in, width, kernel, padding=kernel // 2, bias=False)
        self.norm = ChannelLayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve and normalise."""
        return self.norm(self.conv(x))


class SimplePyramid(nn.Module):
    """Maps of four strides from the last map of a plain transformer, without top-down paths.

    ViTDet (arXiv:2203.16527, "Simple feature pyramid"), from stride 8 on: GLEE leaves out its
    finest map. Convolutions start from PyTorch's default, as ViTDet in detectron2 does.
    """

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.upsample = nn.ConvTranspose2d(width_in, width_in // 2, kernel_size=2, stride=2)
        self.project = nn.ModuleList(
            ChannelNormConv(source, width, 1) for source in (width_in // 2, width_in, width_in)
        )
        self.smooth = nn.ModuleList(ChannelNormConv(width, width, 3) for _ in self.project)

    def forward(self, x: Tensor) -> FeaturePyramid:
        """Return maps of 2, 1, 1/2 and 1/4 times the size of `x` [B, C_in, h, w].

        h and w are even; the last map is rounded up.
        """
        sources = (self.upsample(x), x, F.max_pool2d(x, kernel_size=2))
        fine, middle, coarse = (
            smooth(project(source))
            for source, project, smooth in zip(sources, self.project, self.smooth, strict=True)
        )
        return FeaturePyramid((fine, middle, coarse, coarse[:, :, ::2, ::2]))
