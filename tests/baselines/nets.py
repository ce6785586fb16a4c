"""Segmenters for the tests of methods: one with every kind of norm, others to compute by hand."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ditta_adapt import SegmenterOutput


class ChannelNorm(nn.LayerNorm):
    """Layer norm over the channels of a map."""

    def forward(self, maps: Tensor) -> Tensor:
        return super().forward(maps.movedim(1, -1)).movedim(-1, 1)


class NormNet(nn.Module):
    """Batch, layer, group and instance norm, dropout, and a parameter that is no layer's weight."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.encoder = nn.Sequential(
                nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), ChannelNorm(8)
            )
            self.position = nn.Parameter(torch.randn(1, 8, 1, 1))
            self.decoder = nn.Sequential(
                nn.Conv2d(8, 6, 1),
                nn.BatchNorm2d(6),
                nn.GroupNorm(2, 6),
                nn.InstanceNorm2d(6, affine=True, track_running_stats=True),
                nn.Dropout(0.3),
                nn.Conv2d(6, 4, 1),
            )
            # Statistics of a training, unlike those of any test frame.
            for layer in self.modules():
                if isinstance(getattr(layer, "running_mean", None), Tensor):
                    layer.running_mean.normal_()
                    layer.running_var.uniform_(0.5, 2)


class NormSegmenter:
    """The adapter of `NormNet`."""

    num_classes, feature_dim = 4, 6

    def __init__(self, model: NormNet) -> None:
        self.model = model

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float() / 127.5 - 1

    def encode(self, images: Tensor) -> Tensor:
        return self.model.encoder(images) + self.model.position

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        features = self.model.decoder[:5](encoded)
        return SegmenterOutput(features=features, logits=self.model.decoder[5](features))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"decoder": self.model.decoder}


def norm_segmenter(seed: int = 0) -> NormSegmenter:
    return NormSegmenter(NormNet(seed).eval())


class ConstantSegmenter(nn.Module):
    """The same logits at every pixel of every frame, and trainable."""

    feature_dim = 1

    def __init__(self, logits: Sequence[float]) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.tensor(logits))

    @property
    def num_classes(self) -> int:
        return len(self.scores)

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float() / 255

    def encode(self, images: Tensor) -> Tensor:
        return images[:, :1]

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        logits = self.scores[None, :, None, None] + 0 * encoded
        return SegmenterOutput(features=encoded, logits=logits)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"scores": self}


class PixelSegmenter(nn.Module):
    """Three classes, whose logits at a pixel are its own colours times one weight each."""

    num_classes = feature_dim = 3

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3))

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames.float() / 64

    def encode(self, images: Tensor) -> Tensor:
        return images

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        logits = encoded * self.weight[:, None, None]
        return SegmenterOutput(features=encoded, logits=logits)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"weight": self}
