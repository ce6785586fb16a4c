"""Matching on one video, as what is trained there."""

import copy
from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt.teachers.matching.video import MatchingVideo, Trained
from ditta_adapt.teachers.test_time.objectives import Objective

_REACH = 0.3
"""Of matches in training, as a share of the longer side: frames of a triplet are far apart."""


class MatchingInTraining(nn.Module):
    """A copy of a video's `MatchingNetwork`, as a `TrainableNetwork`.

    Args:
        video: whose features and axes are used.
        top_k: see `nearest`.
    """

    learning_rate = 1e-3

    def __init__(self, video: MatchingVideo, top_k: int) -> None:
        super().__init__()
        self._video, self._top_k = video, top_k
        self.network = copy.deepcopy(video.trained.network).requires_grad_()

    @property
    def result(self) -> Trained:
        """A copy of what was learned so far."""
        network = copy.deepcopy(self.network).requires_grad_(False)
        return Trained(self._video.trained.axes, network)

    def prepare(self, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "D h w"]:
        """See `TrainableNetwork`."""
        return self._video.keys_of(frame)

    def encode_frame(self, prepared: Float[Tensor, "D h w"]) -> Float[Tensor, "D h w"]:
        """See `TrainableNetwork`. Keys come from a frozen network."""
        return prepared

    def encode_memory(
        self, features: Float[Tensor, "D h w"], masks: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K h w"]:
        """See `MaskNetwork`."""
        return self.network.encode_memory(features, masks)

    def read(
        self,
        features: Float[Tensor, "D h w"],
        memory: Sequence[tuple[Float[Tensor, "D h w"], Float[Tensor, "K h w"]]],
    ) -> Float[Tensor, "K1 h w"]:
        """See `MaskNetwork`."""
        reach = [round(_REACH * max(features.shape[1:]))] * len(memory)
        return self.network.read(features, memory, reach=reach, top_k=self._top_k)

    def decode_value(
        self, features: Float[Tensor, "D h w"], value: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K1 h w"]:
        """See `DecodesValues`."""
        return self.network.decode_value(features, value)

    def on_grid(self, masks: Bool[Tensor, "K H W"]) -> Float[Tensor, "K h w"]:
        """See `TrainableNetwork`."""
        return F.interpolate(masks[None].to(self.network.key), self._video.grid, mode="area")[0]

    def trained_by(self, objective: Objective) -> list[nn.Parameter]:
        """See `TrainableNetwork`.

        There is no normalisation layer, which is all that entropy trains elsewhere; here it is the
        temperature. Its own value, unmatched, teaches value and decoder only.
        """
        if objective == "entropy":
            return [self.network.log_temperature]
        if objective == "mask_autoencoder":
            return [self.network.value, self.network.decoder, self.network.bias]
        return list(self.network.parameters())
