"""The network: its encoder, its decoder, and what they take and give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn

from benchmarks.espnetv2.decoder import Decoder
from benchmarks.espnetv2.encoder import CHANNELS, Encoder


class ESPNetv2(nn.Module):
    """ESPNetv2 segmentation network.

    Args:
        num_classes: outputs C >= 2; 21 for PASCAL VOC, 20 for Cityscapes.
        width: the factor `s` of the encoder's channels, a key of `CHANNELS`.

    Attributes:
        encoder: all of `encode`.
        decoder: all of `decode`; `decoder.classifier` is its last convolution.
        channels: of the encoder's maps.

    Raises:
        ValueError: `num_classes` < 2, or there is no such width.
    """

    def __init__(self, num_classes: int = 21, width: float = 2.0) -> None:
        super().__init__()
        if num_classes < 2:
            raise ValueError(f"num_classes must be at least 2, got {num_classes}")
        if width not in CHANNELS:
            raise ValueError(f"width must be one of {list(CHANNELS)}, got {width}")
        self.num_classes = num_classes
        self.channels = CHANNELS[width]
        self.encoder = Encoder(self.channels)
        self.decoder = Decoder(num_classes, self.channels)

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Run the trunk.

        Args:
            images: (B, 3, H, W) of any size, RGB, normalised by ImageNet's statistics.

        Returns:
            Maps at strides 2, 4, 8, 16: (B, C_i, ceil(H / s_i), ceil(W / s_i)), C = `channels`.

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
        if channels != self.channels:
            raise ValueError(f"maps must be 4-d with {self.channels} channels, got {channels}")
        return cast(tuple[Tensor, Tensor], self.decoder(maps))

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits (B, C, ceil(H / 2), ceil(W / 2)) of images (B, 3, H, W).

        The released network then resizes them to (H, W), bilinearly with aligned corners.
        """
        return self.decode(self.encode(images))[1]
