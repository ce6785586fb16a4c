"""ESPNetv2 (s = 2.0) for semantic segmentation, split into an encoder and a decoder.

Source: Mehta, Rastegari, Shapiro, Hajishirzi, "ESPNetv2: A Light-weight, Power Efficient, and
General Purpose Convolutional Neural Network", CVPR 2019, arXiv 1811.11431; the decoder is the one
of the released PASCAL VOC and Cityscapes weights (sacmehta/EdgeNets, MIT), which
`load_espnetv2` reads.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

ENCODER_CHANNELS = (32, 128, 256, 512)
"""Channels of the encoder's maps, at strides 2, 4, 8 and 16 (s = 2.0)."""

DECODER_CHANNELS = (64, 48, 32)
"""Channels of the decoder's maps before they are joined with strides 8, 4 and 2."""

BRANCHES = 4
POOL_SCALES = (2.0, 1.5, 1.0, 0.5, 0.1)


class _NormAct(nn.Module):
    """Batch normalisation, then (if `act`) a PReLU with a slope per channel; keeps the shape."""

    def __init__(self, channels: int, act: bool = True) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.act = nn.PReLU(channels) if act else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.act(self.bn(x)))


class _ConvUnit(_NormAct):
    """A convolution without bias, then `_NormAct`; odd `size`, padded by size // 2.

    (B, cin, H, W) -> (B, cout, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(
        self, cin: int, cout: int, size: int, stride: int = 1, groups: int = 1, act: bool = True
    ) -> None:
        super().__init__(cout, act)
        self.conv = nn.Conv2d(cin, cout, size, stride, size // 2, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.conv(x))


class _Eesp(nn.Module):
    """Extremely efficient spatial pyramid of depth-wise dilated convolutions.

    With p = reduce(x), b_k = sum over j <= k of dilated_j(p) (hierarchical feature fusion, which
    removes gridding), returns expand(norm(concat(b_1, ..., b_4))); reduce and expand are grouped
    1 x 1 convolutions. (B, cin, H, W) -> (B, cout, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, cin: int, cout: int, dilations: Sequence[int], stride: int = 1) -> None:
        super().__init__()
        width = cout // BRANCHES
        self.reduce = _ConvUnit(cin, width, 1, groups=BRANCHES)
        self.dilated = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, d, d, groups=width, bias=False) for d in dilations
        )
        self.norm = _NormAct(cout)
        self.expand = _ConvUnit(cout, cout, 1, groups=BRANCHES, act=False)

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
        self.reinforce = nn.Sequential(_ConvUnit(3, 3, 3), _ConvUnit(3, cout, 1, act=False))
        self.act = nn.PReLU(cout)

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        joined = torch.cat((_halve(x), self.eesp(x)), 1)
        return cast(Tensor, self.act(joined + self.reinforce(image)))


class _Encoder(nn.Module):
    """The classification trunk without its last level; see `ESPNetv2.encode`."""

    def __init__(self) -> None:
        super().__init__()
        c2, c4, c8, c16 = ENCODER_CHANNELS
        wide = (1, 2, 3, 4)
        # At stride 16 a branch that would see more than 7 pixels falls back to dilation 1.
        narrow = (1, 1, 2, 3)
        self.stem = _ConvUnit(3, c2, 3, stride=2)
        self.down4 = _EespDown(c2, c4, wide)
        self.down8 = _EespDown(c4, c8, wide)
        self.blocks8 = nn.Sequential(*(_EespBlock(c8, wide) for _ in range(3)))
        self.down16 = _EespDown(c8, c16, wide)
        self.blocks16 = nn.Sequential(*(_EespBlock(c16, narrow) for _ in range(7)))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        image4 = _halve(_halve(images))
        image8 = _halve(image4)
        map2 = self.stem(images)
        map4 = self.down4(map2, image4)
        map8 = self.blocks8(self.down8(map4, image8))
        map16 = self.blocks16(self.down16(map8, _halve(image8)))
        return map2, map4, map8, map16


class _PyramidPool(nn.Module):
    """Efficient pyramid pooling: depth-wise convolutions at five resolutions, fused.

    The map is projected to `width` channels; for each scale it is resized to ceil(scale * size),
    at least 5 x 5 (bilinearly up, adaptive average down), filtered, resized back, and the five
    results are fused channel by channel. (B, cin, H, W) -> (B, width, H, W).
    """

    def __init__(self, cin: int, width: int) -> None:
        super().__init__()
        self.project = _ConvUnit(cin, width, 1)
        self.filters = nn.ModuleList(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False) for _ in POOL_SCALES
        )
        self.norm = _NormAct(width * len(POOL_SCALES))
        self.fuse = _ConvUnit(width * len(POOL_SCALES), width, 3, groups=width)

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
        self.expand = _ConvUnit(cin, cout, 3, groups=math.gcd(cin, cout))

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))
        return cast(Tensor, self.expand(x) * weight)


class _Decoder(nn.Module):
    """Refine the coarsest map with the finer ones, then classify; see `ESPNetv2.decode`."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        width = min(num_classes // 2, 16)  # this is D
        entries = (ENCODER_CHANNELS[-1], *DECODER_CHANNELS)
        skips = ENCODER_CHANNELS[-2::-1]
        self.pools = nn.ModuleList(_PyramidPool(c, width) for c in entries)
        self.expands = nn.ModuleList(_ConvUnit(width, c, 1) for c in DECODER_CHANNELS)
        self.skips = nn.ModuleList(
            _GatedSkip(cin, cout) for cin, cout in zip(skips, DECODER_CHANNELS, strict=True)
        )
        self.joins = nn.ModuleList(_NormAct(c) for c in DECODER_CHANNELS)
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def forward(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        features: Tensor = self.pools[0](maps[-1])
        for i, finer in enumerate(reversed(maps[:-1])):
            coarse = _resize(self.expands[i](features), finer.shape[-2:])
            features = self.pools[i + 1](self.joins[i](self.skips[i](finer) + coarse))
        return features, self.classifier(features)


class ESPNetv2(nn.Module):
    """ESPNetv2 segmentation network, s = 2.0.

    Args:
        num_classes: outputs C >= 2; 21 for PASCAL VOC, 20 for Cityscapes.

    Attributes:
        encoder: all of `encode`.
        decoder: all of `decode`; `decoder.classifier` is its last convolution.

    Raises:
        ValueError: `num_classes` < 2.
    """

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        self.num_classes = num_classes
        self.encoder = _Encoder()
        self.decoder = _Decoder(num_classes)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run the trunk.

        Args:
            images: (B, 3, H, W) of any size, RGB, normalised by ImageNet's statistics.

        Returns:
            Maps at strides 2, 4, 8, 16: (B, C_i, ceil(H / s_i), ceil(W / s_i)),
            C = (32, 128, 256, 512).

        Raises:
            ValueError: `images` is not (B, 3, H, W).
        """
        if images.ndim != 4 or images.shape[1] != 3:
            raise ValueError(f"images must be (B, 3, H, W), got {tuple(images.shape)}")
        return cast(tuple[Tensor, Tensor, Tensor, Tensor], self.encoder(images))

    def decode(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Turn the maps of `encode` into features and logits, both at stride 2.

        Args:
            maps: the four maps of `encode`, finest first.

        Returns:
            features (B, D, h, w) and logits (B, C, h, w) = `decoder.classifier(features)`, with
            h = ceil(H / 2), w = ceil(W / 2) and D = min(C // 2, 16), 10 for 20 or 21 classes.

        Raises:
            ValueError: `maps` does not have the four channel counts of `encode`.
        """
        channels = tuple(m.shape[1] if m.ndim == 4 else None for m in maps)
        if channels != ENCODER_CHANNELS:
            raise ValueError(f"maps must be 4-d with {ENCODER_CHANNELS} channels, got {channels}")
        return cast(tuple[Tensor, Tensor], self.decoder(maps))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, C, ceil(H / 2), ceil(W / 2)) of images (B, 3, H, W).

        The released network then resizes them to (H, W), bilinearly with aligned corners.
        """
        return self.decode(self.encode(images))[1]


def load_espnetv2(path: str | Path, num_classes: int | None = None) -> ESPNetv2:
    """Build the network from a released state dict, in eval mode, on the CPU.

    Args:
        path: `espnetv2_s_2.0_*.pth` of the released segmentation models.
        num_classes: the number of outputs the file must have; None takes the file's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a state dict of this network, or has other outputs.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling arbitrary bytes may raise nearly anything
        raise ValueError(f"{path} is not a file of tensors: {error}") from error
    bias = state.get("bu_dec_l4.merge_layer.3.bias") if isinstance(state, dict) else None
    if not isinstance(bias, Tensor):
        raise ValueError(f"{path} is not a state dict of an ESPNetv2 segmentation network")
    found = bias.numel()
    if num_classes is not None and num_classes != found:
        raise ValueError(f"{path} has {found} outputs, not {num_classes}")
    model = ESPNetv2(found)
    try:
        model.load_state_dict(rename_released(state), strict=True)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit ESPNetv2 with s = 2.0: {error}") from error
    return model.eval()


# Released name -> name here, replaced in this order.
_RENAMED = (
    ("base_net.level1.", "encoder.stem."),
    ("base_net.level2_0.", "encoder.down4."),
    ("base_net.level3_0.", "encoder.down8."),
    ("base_net.level3.", "encoder.blocks8."),
    ("base_net.level4_0.", "encoder.down16."),
    ("base_net.level4.", "encoder.blocks16."),
    (".proj_1x1.", ".reduce."),
    *((f".spp_dw.{i}.conv.", f".dilated.{i}.") for i in range(BRANCHES)),
    (".br_after_cat.", ".norm."),
    (".conv_1x1_exp.", ".expand."),
    (".module_act.", ".act."),
    (".inp_reinf.", ".reinforce."),
    ("bu_dec_l4.merge_layer.3.", "decoder.classifier."),
    *((f"bu_dec_l{i + 1}.merge_layer.3.", f"decoder.expands.{i}.conv.") for i in range(3)),
    *((f"bu_dec_l{i + 1}.br.", f"decoder.expands.{i}.") for i in range(3)),
    *((f"bu_dec_l{i + 1}.", f"decoder.pools.{i}.") for i in range(4)),
    *((f"merge_enc_dec_l{i + 2}.", f"decoder.skips.{i}.") for i in range(3)),
    *((f"bu_br_l{i + 2}.", f"decoder.joins.{i}.br.") for i in range(3)),
    (".projection_layer.", ".project."),
    (".stages.", ".filters."),
    (".merge_layer.0.", ".norm."),
    (".merge_layer.2.", ".fuse."),
    (".wt_layer.1.", ".gate."),
    (".expansion_layer.", ".expand."),
    *((f".cbr.{i}.", f".{part}.") for i, part in enumerate(("conv", "bn", "act"))),
    *((f".br.{i}.", f".{part}.") for i, part in enumerate(("bn", "act"))),
)


def rename_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a released state dict the names used here.

    Leaves out the three slopes `*.eesp.module_act.weight` of the strided blocks: the released
    network holds them but never applies them.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(".eesp.module_act.weight"):
            continue
        for old, new in _RENAMED:
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed


def _halve(x: Tensor) -> Tensor:
    """Average 3 x 3 at stride 2, zeros counted at the border: (H, W) -> (ceil(H/2), ceil(W/2))."""
    return F.avg_pool2d(x, 3, 2, 1)


def _resize(x: Tensor, size: Sequence[int]) -> Tensor:
    """Resize bilinearly with aligned corners, as the released weights were trained."""
    return F.interpolate(x, tuple(size), mode="bilinear", align_corners=True)
