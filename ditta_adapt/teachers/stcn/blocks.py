"""Residual blocks and attention that the network is built of."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_REDUCTION = 16


class Basic(nn.Module):
    """Two convolutions of 3 x 3 around which the input is led.

    Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B D h2 w2"]:
        """At the block's stride."""
        found = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        result: Tensor = F.relu(found + self.downsample(x))
        return result


class Bottleneck(nn.Module):
    """A convolution of 3 x 3 between two of 1 x 1, at a quarter of the width.

    Source: as `Basic`.
    """

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        inner = width // 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B D h2 w2"]:
        """At the block's stride."""
        found = F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))))
        result: Tensor = F.relu(self.bn3(self.conv3(found)) + self.downsample(x))
        return result


def _shortcut(inputs: int, width: int, stride: int) -> nn.Module:
    if stride == 1 and inputs == width:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(inputs, width, 1, stride, bias=False), nn.BatchNorm2d(width))


def blocks(
    block: Callable[[int, int, int], nn.Module], inputs: int, width: int, depth: int, stride: int
) -> nn.Sequential:
    """`depth` blocks, of which the first changes stride and width."""
    rest = [block(width, width, 1) for _ in range(depth - 1)]
    return nn.Sequential(block(inputs, width, stride), *rest)


class Residual(nn.Module):
    """As `Basic`, with activations before the convolutions and no normalisation."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        same = inputs == width
        self.downsample = nn.Identity() if same else nn.Conv2d(inputs, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B D h w"]:
        """At the same stride."""
        found = self.conv2(F.relu(self.conv1(F.relu(x))))
        result: Tensor = found + self.downsample(x)
        return result


class Attention(nn.Module):
    """Which channels count, by their mean and their maximum over places; then which places.

    Source: Woo et al., "CBAM: Convolutional Block Attention Module", ECCV 2018.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = max(width // _REDUCTION, 1)
        self.channels = nn.Sequential(nn.Linear(width, inner), nn.ReLU(), nn.Linear(inner, width))
        self.places = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """What counts, of the same shape."""
        by_channel = self.channels(x.mean(dim=(2, 3))) + self.channels(x.amax(dim=(2, 3)))
        x = x * by_channel.sigmoid()[:, :, None, None]
        seen = torch.cat([x.amax(dim=1, keepdim=True), x.mean(dim=1, keepdim=True)], dim=1)
        result: Tensor = x * self.places(seen).sigmoid()
        return result
