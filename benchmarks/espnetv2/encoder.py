"""The encoder: spatial pyramids of dilated convolutions, down to stride 16."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.espnetv2.units import ConvUnit, NormAct

Channels = tuple[int, int, int, int]
"""Of the encoder's maps, at strides 2, 4, 8 and 16."""

CHANNELS: Mapping[float, Channels] = {
    0.5: (16, 32, 64, 128),
    1.0: (32, 64, 128, 256),
    1.5: (32, 96, 192, 384),
    2.0: (32, 128, 256, 512),
}
"""By the width factor `s`."""

BRANCHES = 4
"""Dilated convolutions of a pyramid."""


class _Eesp(nn.Module):
    """Extremely efficient spatial pyramid of depth-wise dilated convolutions.

    With p = reduce(x), b_k = sum over j <= k of dilated_j(p) (hierarchical feature fusion, which
    removes gridding), returns expand(norm(concat(b_1, ..., b_4))); reduce and expand are grouped
    1 x 1 convolutions. (B, cin, H, W) -> (B, cout, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, cin: int, cout: int, dilations: Sequence[int], stride: int = 1) -> None:
        super().__init__()
        width = cout // BRANCHES
        self.reduce = ConvUnit(cin, width, 1, groups=BRANCHES)
        self.dilated = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, d, d, groups=width, bias=False) for d in dilations
        )
        self.norm = NormAct(cout)
        self.expand = ConvUnit(cout, cout, 1, groups=BRANCHES, act=False)

    def forward(self, x: Tensor) -> Tensor:
        reduced = self.reduce(x)
        fused = [self.dilated[0](reduced)]
        for conv in self.dilated[1:]:
            fused.append(conv(reduced) + fused[-1])
        return cast(Tensor, self.expand(self.norm(torch.cat(fused, 1))))


class _EespBlock(_Eesp):
    """PReLU(x + Eesp(x)); keeps the shape (B, C, H, W)."""

    def __init__(self, channels: int, dilations: Sequence[int]) -> None:
        super().__init__(channels, channels, dilations)
        self.act = nn.PReLU(channels)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.act(x + super().forward(x)))


class _EespDown(nn.Module):
    """Strided Eesp with a shortcut from the input image.

    PReLU(concat(pool(x), Eesp(x)) + reinforce(image)), `image` being the input image pooled to
    the output's size. (B, cin, H, W), (B, 3, ceil(H/2), ceil(W/2)) -> (B, cout, ceil(H/2), ...).
    """

    def __init__(self, cin: int, cout: int, dilations: Sequence[int]) -> None:
        super().__init__()
        self.eesp = _Eesp(cin, cout - cin, dilations, stride=2)
        self.reinforce = nn.Sequential(ConvUnit(3, 3, 3), ConvUnit(3, cout, 1, act=False))
        self.act = nn.PReLU(cout)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        joined = torch.cat((_halve(x), self.eesp(x)), 1)
        return cast(Tensor, self.act(joined + self.reinforce(image)))


class Encoder(nn.Module):
    """The classification trunk without its last level; see `ESPNetv2.encode`."""

    def __init__(self, channels: Channels) -> None:
        super().__init__()
        c2, c4, c8, c16 = channels
        wide = (1, 2, 3, 4)
        # At stride 16 a branch that would see more than 7 pixels falls back to dilation 1.
        narrow = (1, 1, 2, 3)
        self.stem = ConvUnit(3, c2, 3, stride=2)
        self.down4 = _EespDown(c2, c4, wide)
        self.down8 = _EespDown(c4, c8, wide)
        self.blocks8 = nn.Sequential(*(_EespBlock(c8, wide) for _ in range(3)))
        self.down16 = _EespDown(c8, c16, wide)
        self.blocks16 = nn.Sequential(*(_EespBlock(c16, narrow) for _ in range(7)))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the maps at strides 2, 4, 8 and 16."""
        image4 = _halve(_halve(images))
        image8 = _halve(image4)
        map2 = self.stem(images)
        map4 = self.down4(map2, image4)
        map8 = self.blocks8(self.down8(map4, image8))
        map16 = self.blocks16(self.down16(map8, _halve(image8)))
        return map2, map4, map8, map16


def _halve(x: Tensor) -> Tensor:
    """Average 3 x 3 at stride 2, zeros counted at the border: (H, W) -> (ceil(H/2), ceil(W/2))."""
    return F.avg_pool2d(x, 3, 2, 1)
