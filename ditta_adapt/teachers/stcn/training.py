"""A space-time correspondence network as what is trained on one video."""

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt.config import Objective
from ditta_adapt.teachers.soft_aggregation import aggregation_logits
from ditta_adapt.teachers.stcn.frame_images import image_of, on_grid
from ditta_adapt.teachers.stcn.network import (
    FrameFeatures,
    SpaceTimeNetwork,
    others_of,
    read,
)

TRAINING_SIDE = 256
"""Of a frame in training, its shorter side at most: no weight depends on it, and a step at the size
at which objects are followed takes four times as long."""


class SeenFrame(NamedTuple):
    """A frame as the network takes it, and its features."""

    image: Float[Tensor, "1 3 h w"]
    features: FrameFeatures


class StcnInTraining(nn.Module):
    """A copy of a network, as a `TrainableNetwork`. Batch normalisation keeps its statistics.

    Args:
        network: stays as it is.
        size: `(H, W)` of frames as the network sees them.
    """

    learning_rate = 1e-5

    def __init__(self, network: SpaceTimeNetwork, size: tuple[int, int]) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).requires_grad_()
        self._size = size

    def prepare(self, frame: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 H W"]:
        """See `TrainableNetwork`. All of the network is trained, so the frame itself."""
        return frame

    def encode_frame(self, prepared: UInt8[Tensor, "3 H W"]) -> SeenFrame:
        """See `TrainableNetwork`."""
        image = image_of(prepared, self._size, self.network.mask.weight.device)
        return SeenFrame(image, self.network.encode(image))

    def encode_memory(
        self, features: SeenFrame, masks: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K V h2 w2"]:
        """See `MaskNetwork`."""
        count = len(masks)
        return self.network.remember(
            features.image.expand(count, -1, -1, -1),
            features.features.deep.expand(count, -1, -1, -1),
            masks,
            others_of(masks),
        )

    def read(
        self,
        features: SeenFrame,
        memory: Sequence[tuple[SeenFrame, Float[Tensor, "K V h2 w2"]]],
    ) -> Float[Tensor, "K1 h w"]:
        """See `MaskNetwork`. All that is remembered counts, not the best places only."""
        keys = torch.stack([seen.features.key for seen, _ in memory], dim=2)
        values = torch.stack([value for _, value in memory], dim=2)
        found = read(features.features.key, keys, values.flatten(0, 1)[None])
        return self.decode_value(features, found.reshape(memory[0][1].shape))

    def decode_value(
        self, features: SeenFrame, value: Float[Tensor, "K V h2 w2"]
    ) -> Float[Tensor, "K1 h w"]:
        """See `DecodesValues`."""
        decoded = self.network.decode(value, features.features.times(len(value)))
        return aggregation_logits(decoded.sigmoid())

    def on_grid(self, masks: Bool[Tensor, "K H W"]) -> Float[Tensor, "K h w"]:
        """See `TrainableNetwork`."""
        return on_grid(masks.to(self.network.mask.weight.device), self._size)

    def trained_by(self, objective: Objective) -> list[nn.Parameter]:
        """See `TrainableNetwork`. Entropy trains the affine part of batch normalisation only."""
        layers = [each for each in self.network.modules() if isinstance(each, nn.BatchNorm2d)]
        if objective == "entropy":
            # No gradient of the others is computed, which nobody would take a step by.
            self.network.requires_grad_(False)
            for layer in layers:
                layer.requires_grad_()
        return [each for each in self.network.parameters() if each.requires_grad]
