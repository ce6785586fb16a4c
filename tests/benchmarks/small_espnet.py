"""A stand-in for ESPNetv2: the same parts by the same names, a few layers in place of hundreds."""

import torch
from torch import Tensor, nn


class _Decoder(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.merge = nn.Conv2d(8, 6, 3, padding=1)
        self.classifier = nn.Conv2d(6, num_classes, 1)

    def forward(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        features = torch.relu(self.merge(maps[0]))
        return features, self.classifier(features)


class SmallESPNet(nn.Module):
    """See `benchmarks.espnetv2.ESPNetv2`."""

    def __init__(self, num_classes: int = 21) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.encoder = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
        self.decoder = _Decoder(num_classes)

    def encode(self, images: Tensor) -> list[Tensor]:
        return [self.encoder(images)]

    def decode(self, maps: list[Tensor]) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self.decoder(maps)
        return found

    def forward(self, images: Tensor) -> Tensor:
        return self.decode(self.encode(images))[1]
