"""The units that both halves are built of: a convolution, a normalisation and an activation."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn


class NormAct(nn.Module):
    """Batch normalisation, then (if `act`) a PReLU with a slope per channel; keeps the shape."""

    def __init__(self, channels: int, act: bool = True) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.act = nn.PReLU(channels) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, then activate."""
        return cast(Tensor, self.act(self.bn(x)))


class ConvUnit(NormAct):
    """A convolution without bias, then `NormAct`; odd `size`, padded by size // 2.

    (B, cin, H, W) -> (B, cout, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self, cin: int, cout: int, size: int, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        super().__init__(cout, act)
        self.conv = nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve, normalise, then activate."""
        return super().forward(self.conv(x))
