"""Cutie as what is trained on one video."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt.adapters.cutie.video import STRIDE, image_of, quiet
from ditta_adapt.io import require
from ditta_adapt.teachers.test_time import Objective


class CutieFeatures(NamedTuple):
    """Of a frame: the image, features of three strides, their projection, and its key."""

    image: Tensor
    levels: list[Tensor]
    projected: Tensor
    key: Tensor
    shrinkage: Tensor
    selection: Tensor


class CutieValue(NamedTuple):
    """Of a frame and its masks, by object: value, state, summaries, and the masks themselves."""

    value: Tensor
    state: Tensor
    summaries: Tensor
    masks: Tensor


class CutieInTraining(nn.Module):
    """A copy of a `CUTIE`, as a `TrainableNetwork`.

    Args:
        network: stays as it is.
        size: `(H, W)` of frames as the network sees them.
    """

    learning_rate = 1e-5

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network: Any = copy.deepcopy(network).requires_grad_()
        self._size = size
        self._memory: Any = require("cutie.model.utils.memory_utils")

    @property
    def result(self) -> nn.Module:
        """A copy of what was learned so far."""
        network: nn.Module = copy.deepcopy(self.network)
        return network.requires_grad_(False)

    def prepare(self, frame: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 H W"]:
        """See `TrainableNetwork`. All of the network is trained, so the frame itself."""
        return frame

    def encode_frame(self, prepared: UInt8[Tensor, "3 H W"]) -> CutieFeatures:
        """See `TrainableNetwork`."""
        image = image_of(prepared.to(self.network.device), self._size)[None]
        levels, projected = self.network.encode_image(image)
        return CutieFeatures(image, levels, projected, *self.network.transform_key(levels[0]))

    @quiet()
    def encode_memory(self, features: CutieFeatures, masks: Float[Tensor, "K h w"]) -> CutieValue:
        """See `MaskNetwork`. The state of an object is what this one frame says of it."""
        value, state, summaries, _ = self.network.encode_mask(
            features.image, features.projected, self._no_state(len(masks)), masks[None]
        )
        return CutieValue(value, state, summaries, masks[None])

    @quiet()
    def read(
        self, features: CutieFeatures, memory: Sequence[tuple[CutieFeatures, CutieValue]]
    ) -> Float[Tensor, "K1 h w"]:
        """See `MaskNetwork`. All that is remembered counts, not the best places only."""
        known, values = zip(*memory, strict=True)
        last = values[-1]
        weights = self._memory.get_affinity(
            torch.stack([each.key for each in known], dim=2),
            torch.stack([each.shrinkage for each in known], dim=2),
            features.key,
            features.selection,
        )
        value = torch.stack([each.value for each in values], dim=3)
        found = self._memory.readout(weights, value.flatten(1, 2)).unflatten(1, value.shape[1:3])
        found = self.network.pixel_fusion(features.projected, found, last.state, last.masks)
        summaries = torch.stack([each.summaries for each in values], dim=2)
        found, _ = self.network.readout_query(found, summaries)
        return self._decoded(features, found, last.state)

    @quiet()
    def decode_value(self, features: CutieFeatures, value: CutieValue) -> Float[Tensor, "K1 h w"]:
        """See `DecodesValues`. State and last masks, which would give it away, are left out."""
        state = self._no_state(value.masks.shape[1])
        found = self.network.pixel_fusion(
            features.projected, value.value, state, torch.zeros_like(value.masks)
        )
        found, _ = self.network.readout_query(found, value.summaries[:, :, None])
        return self._decoded(features, found, state)

    def on_grid(self, masks: Bool[Tensor, "K H W"]) -> Float[Tensor, "K h w"]:
        """See `TrainableNetwork`."""
        shares = masks[None].to(self.network.device, torch.float32)
        return F.interpolate(shares, self._size, mode="area")[0]

    def trained_by(self, objective: Objective) -> list[nn.Parameter]:
        """See `TrainableNetwork`. Entropy trains the affine part of batch normalisation only."""
        if objective != "entropy":
            return list(self.network.parameters())
        layers = [each for each in self.network.modules() if isinstance(each, nn.BatchNorm2d)]
        return [parameter for layer in layers for parameter in layer.parameters()]

    def _no_state(self, objects: int) -> Tensor:
        height, width = (side // STRIDE for side in self._size)
        size = 1, objects, self.network.sensory_dim, height, width
        return torch.zeros(size, device=self.network.device)

    def _decoded(self, features: CutieFeatures, found: Tensor, state: Tensor) -> Tensor:
        _, logits, _ = self.network.segment(features.levels, found, state, update_sensory=False)
        result: Tensor = logits[0]
        return result
