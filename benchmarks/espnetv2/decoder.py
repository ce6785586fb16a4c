"""The decoder: the coarsest map is refined with the finer ones, then classified."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.espnetv2.encoder import Channels
from benchmarks.espnetv2.units import ConvUnit, NormAct

DECODER_CHANNELS = (64, 48, 32)
"""Channels of the decoder's maps before they are joined with strides 8, 4 and 2."""

POOL_SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)


class _PyramidPool(nn.Module):
    """Efficient pyramid pooling: depth-wise convolutions at five resolutions, fused.

    The map is projected to `width` channels; for each scale it is resized to ceil(scale * size),
    at least 5 x 5 (bilinearly up, adaptive average down), filtered, resized back, and the five
    results are fused channel by channel. (B, cin, H, W) -> (B, width, H, W).
    """

    def __init__(self, cin: int, width: int) -> None:
        super().__init__()
        self.project = ConvUnit(cin, width, 1)
        self.filters = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False) for _ in POOL_SCALES
        )
        self.norm = NormAct(width * len(POOL_SCALES))
        self.fuse = ConvUnit(width * len(POOL_SCALES), width, 3, groups=width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.project(x)
        batch, width, height, breadth = x.shape
        size = (height, breadth)
        levels: list[Tensor] = []
        for scale, conv in zip(POOL_SCALES, self.filters, strict=True):
            inner = (max(5, math.ceil(height * scale)), max(5, math.ceil(breadth * scale)))
            if scale > 1:
                levels.append(F.adaptive_avg_pool2d(conv(_resize(x, inner)), size))
            elif scale < 1:
                levels.append(_resize(conv(F.adaptive_avg_pool2d(x, inner)), size))
            else:
                levels.append(conv(x))
        pyramid: Tensor = self.norm(torch.cat(levels, 1))
        # Bring the scales of each channel together: each group of `fuse` sees one channel.
        shuffled = pyramid.view(batch, len(levels), width, *size).transpose(1, 2)
        return cast(Tensor, self.fuse(shuffled.reshape(batch, -1, *size)))


class _GatedSkip(nn.Module):
    """expand(x) * sigmoid(gate(mean over pixels of x)); (B, cin, H, W) -> (B, cout, H, W).

    The gate depends on the whole map, so a crop does not give the crop of the result.
    """

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.gate = nn.Conv2d(cin, cout, 1, bias=False)
        self.expand = ConvUnit(cin, cout, 3, groups=math.gcd(cin, cout))

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        return cast(Tensor, self.expand(x) * weight)


class Decoder(nn.Module):
    """Refine the coarsest map with the finer ones, then classify; see `ESPNetv2.decode`."""

    def __init__(self, num_classes: int, channels: Channels) -> None:
        super().__init__()
        width = min(num_classes // 2, 16)  # this is D
        entries = (channels[-1], *DECODER_CHANNELS)
        skips = channels[-2::-1]
        self.pools = nn.ModuleList(_PyramidPool(c, width) for c in entries)
        self.expands = nn.ModuleList(ConvUnit(width, c, 1) for c in DECODER_CHANNELS)
        self.skips = nn.ModuleList(
            _GatedSkip(cin, cout) for cin, cout in zip(skips, DECODER_CHANNELS, strict=True)
        )
        self.joins = nn.ModuleList(NormAct(c) for c in DECODER_CHANNELS)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Return features and logits at the stride of the finest map."""
        features: Tensor = self.pools[0](maps[-1])
        for i, finer in enumerate(reversed(maps[:-1])):
            coarse = _resize(self.expands[i](features), finer.shape[-2:])
            features = self.pools[i + 1](self.joins[i](self.skips[i](finer) + coarse))
        return features, self.classifier(features)


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize bilinearly with aligned corners, as the released weights were trained."""
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)
