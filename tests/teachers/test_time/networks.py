"""Mask networks that are small enough to be known by hand."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt.teachers.soft_aggregation import aggregation_logits
from tests.teachers.brightness_propagator import BrightnessPropagator


class Copying:
    """Says of every frame what the memory's last one says."""

    def encode_memory(self, features: Tensor, masks: Tensor) -> Tensor:
        return masks

    def read(self, features: Tensor, memory: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        return aggregation_logits(memory[-1][1])


class Mixing(nn.Module):
    """Masks from the mean of all values, weighted by how features agree; everything trains."""

    def __init__(self, channels: int = 2) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(2 + channels, generator=generator, dtype=torch.float64)
        self.weights = nn.Parameter(0.3 * weights)
        self.calls: list[int] = []

    def encode_memory(self, features: Tensor, masks: Tensor) -> Tensor:
        others = masks.sum(dim=0, keepdim=True) - masks
        return masks + self.weights[0] * others

    def read(self, features: Tensor, memory: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        self.calls.append(len(memory))
        scores = torch.stack(
            [torch.einsum("d,dhw->hw", self.weights[2:], features * known) for known, _ in memory]
        ).softmax(dim=0)
        found = sum(score * value for score, (_, value) in zip(scores, memory, strict=True))
        return aggregation_logits((3 * found + self.weights[1] - 1.5).sigmoid())

    def decode_value(self, features: Tensor, value: Tensor) -> Tensor:
        return aggregation_logits((3 * value + self.weights[1] - 1.5).sigmoid())


class TrainableMixing(Mixing):
    """The same, with an encoder that trains: how much each colour counts."""

    learning_rate = 0.05

    def __init__(self) -> None:
        super().__init__(channels=3)
        self.colours = nn.Parameter(torch.ones(3, dtype=torch.float64))

    def prepare(self, frame: Tensor) -> Tensor:
        return F.avg_pool2d(frame.double()[None] / 255, 4)[0]

    def encode_frame(self, prepared: Tensor) -> Tensor:
        return self.colours[:, None, None] * prepared

    def on_grid(self, masks: Tensor) -> Tensor:
        return F.avg_pool2d(masks[None].double(), 4)[0]

    def trained_by(self, objective: str) -> list[nn.Parameter]:
        return [] if objective == "entropy" else list(self.parameters())


class TrainableBrightness(BrightnessPropagator):
    """What it is trained to has no influence on its masks."""

    network: Any = None

    def training_copy(self, frames: Sequence[Any]) -> TrainableMixing:
        return TrainableMixing()

    def trained(self, network: TrainableMixing) -> "TrainableBrightness":
        other = TrainableBrightness()
        other.network = network
        return other
