from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from glee.config import CspConfig, GleeConfig, tiny
from glee.config_json import config_from_dict, config_to_dict
from glee.model.backbones.csp import CspNet, convert_csp
from glee.model.build import build_glee

CONFIG = CspConfig(stem_width=4, depths=(1, 2, 1, 1), neck_width=6, has_neck=True)


def published_state() -> dict[str, Tensor]:
    """Draw weights of the shapes and names in which NanoDet-g is published, folded."""
    torch.manual_seed(0)
    shapes = {"backbone.stem": (4, 3, 3)}
    for stage, depth in zip((2, 3, 4, 5), CONFIG.depths, strict=True):
        width, name = 4 << (stage - 2), f"backbone.stage{stage}"
        shapes |= {f"{name}.down": (width, width, 3), f"{name}.out": (width, width, 3)}
        for block in range(depth):
            shapes[f"{name}.res.{block}.a"] = (width // 2, width, 3)
            shapes[f"{name}.res.{block}.b"] = (width // 2, width // 2, 3)
        if stage > 2:
            shapes[f"neck.lateral{stage}"] = (6, 2 * width, 1)
    state = {}
    for name, (width, width_in, kernel) in shapes.items():
        state[f"{name}.weight"] = torch.randn(width, width_in, kernel, kernel) / (
            kernel * width_in**0.5
        )
        state[f"{name}.bias"] = torch.randn(width)
    return state


class PublishedNet:
    """The network as its description says it, for pixels in the order blue, green, red."""

    def __init__(self, state: dict[str, Tensor]) -> None:
        self.state = state

    def conv(self, name: str, x: Tensor, stride: int = 1) -> Tensor:
        x = F.conv2d(
            x, self.state[f"{name}.weight"], self.state[f"{name}.bias"], stride=stride, padding=1
        )
        return x.maximum(0.1 * x)

    def lateral(self, name: str, x: Tensor) -> Tensor:
        weight = self.state[f"{name}.weight"][..., 0, 0]
        return torch.einsum("oc,bchw->bohw", weight, x) + self.state[f"{name}.bias"][:, None, None]

    def maps(self, pixels: Tensor) -> list[Tensor]:
        x = self.conv("backbone.stem", pixels, 2)
        x = F.pad(x, (1, 1, 1, 1), value=-1e9).unfold(2, 3, 2).unfold(3, 3, 2).amax((-2, -1))
        maps = []
        for stage, depth in zip((2, 3, 4, 5), CONFIG.depths, strict=True):
            name = f"backbone.stage{stage}"
            x = y = self.conv(f"{name}.down", x, 1 if stage == 2 else 2)
            for block in range(depth):
                a = self.conv(f"{name}.res.{block}.a", y)
                y = torch.cat([self.conv(f"{name}.res.{block}.b", a), a], 1)
            x = torch.cat([self.conv(f"{name}.out", y), x], 1)
            maps.append(x)
        return maps

    def neck(self, maps: list[Tensor]) -> list[Tensor]:
        l3, l4, l5 = (self.lateral(f"neck.lateral{i}", maps[i - 2]) for i in (3, 4, 5))

        def resized(x: Tensor, like: Tensor) -> Tensor:
            return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)

        m4 = l4 + resized(l5, l4)
        p3 = l3 + resized(m4, l3)
        p4 = m4 + resized(p3, m4)
        return [p3, p4, l5 + resized(p4, l5)]


@torch.no_grad()
@pytest.mark.parametrize("has_neck", [False, True])
def test_converted_weights_compute_what_the_published_network_does(has_neck: bool) -> None:
    state, config = published_state(), replace(CONFIG, has_neck=has_neck)
    net = CspNet(config)
    net.load_state_dict(convert_csp(state, config))
    blue_green_red = torch.randn(2, 3, 64, 96)

    ours = net(blue_green_red.flip(1)).maps

    published = PublishedNet(state)
    theirs = published.maps(blue_green_red)
    if has_neck:
        theirs = [theirs[0], *published.neck(theirs)]
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=1e-4, atol=1e-4)


def test_maps_have_the_widths_that_the_configuration_says() -> None:
    for has_neck, widths in ((False, (8, 16, 32, 64)), (True, (8, 6, 6, 6))):
        config = replace(CONFIG, has_neck=has_neck)
        maps = CspNet(config)(torch.zeros(1, 3, 32, 64)).maps

        assert config.out_widths == widths
        assert [tuple(x.shape[1:]) for x in maps] == [
            (width, 8 >> level, 16 >> level) for level, width in enumerate(widths)
        ]


def test_nanodet_g_has_its_published_number_of_weights() -> None:
    with torch.device("meta"):
        with_neck, without = (CspNet(CspConfig(has_neck=neck)) for neck in (True, False))

    counts = [sum(p.numel() for p in net.parameters()) for net in (with_neck, without)]
    assert [round(count / 1e6, 3) for count in counts] == [3.295, 3.180]


def test_a_published_tensor_that_lacks_is_named() -> None:
    state = published_state()
    del state["backbone.stage3.res.1.b.bias"]

    with pytest.raises(ValueError, match=r"lack backbone\.stage3\.res\.1\.b\.bias"):
        convert_csp(state, CONFIG)


def test_sizes_that_are_no_multiple_of_32_are_refused() -> None:
    with pytest.raises(ValueError, match=r"pixels are 64 x 100, .* multiples of 32; pad"):
        CspNet(CONFIG)(torch.zeros(1, 3, 64, 100))


def test_a_network_takes_it_as_its_image_encoder_and_stores_that() -> None:
    config = replace(tiny(), backbone=CONFIG)

    network = build_glee(config)

    assert isinstance(network.backbone, CspNet)
    assert config_from_dict(GleeConfig, config_to_dict(config)) == config
