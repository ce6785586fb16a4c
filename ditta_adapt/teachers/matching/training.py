"""Matching on one video, as what is trained there."""

import copy
from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt.config import Objective
from ditta_adapt.teachers.matching.video import MatchingVideo, Trained

_REACH = 0.3
"""Of matches in training, as a share of the longer side: frames of a triplet are far apart."""
_CELLS = 48
"""Of the longer side of the grid in training: how keys are compared does not depend on it, and time
grows as its fourth power."""


class MatchingInTraining(nn.Module):
    """A copy of a video's `MatchingNetwork`, as a `TrainableNetwork`.

    Args:
        video: whose features and axes are used.
        top_k: see `nearest`.
    """

    learning_rate = 3e-3

    def __init__(self, video: MatchingVideo, top_k: int) -> None:
        super().__init__()
        self._video, self._top_k = video, top_k
        scale = min(1.0, _CELLS / max(video.grid))
        height, width = (max(round(side * scale), 1) for side in video.grid)
        self._grid = (height, width)
        self.network = copy.deepcopy(video.trained.network).requires_grad_()

    @property
    def result(self) -> Trained:
        """A copy of what was learned so far."""
        network = copy.deepcopy(self.network).requires_grad_(False)
        return Trained(self._video.trained.axes, network)

    def prepare(self, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "D h w"]:
        """See `TrainableNetwork`."""
        return self._video.keys_of(frame, self._grid)

    def encode_frame(self, prepared: Float[Tensor, "D h w"]) -> Float[Tensor, "D h w"]:
        """See `TrainableNetwork`. Keys come from a frozen network."""
        return prepared

    def encode_memory(
        self, features: Float[Tensor, "D h w"], masks: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K h w"]:
        """See `MaskNetwork`. Masks are remembered as they are."""
        return masks

    def read(
        self,
        features: Float[Tensor, "D h w"],
        memory: Sequence[tuple[Float[Tensor, "D h w"], Float[Tensor, "K h w"]]],
    ) -> Float[Tensor, "K1 h w"]:
        """See `MaskNetwork`."""
        reach = [round(_REACH * max(self._grid))] * len(memory)
        return self.network.read(features, memory, reach=reach, top_k=self._top_k)

    def on_grid(self, masks: Bool[Tensor, "K H W"]) -> Float[Tensor, "K h w"]:
        """See `TrainableNetwork`."""
        return F.interpolate(masks[None].to(self.network.key), self._grid, mode="area")[0]

    def trained_by(self, objective: Objective) -> list[nn.Parameter]:
        """See `TrainableNetwork`.

        There is no normalisation layer, which is all that entropy trains elsewhere; here it is the
        temperature. There is no decoder of masks that an auto-encoder could train.
        """
        trained: dict[Objective, list[nn.Parameter]] = {
            "mask_cycle": [self.network.key],
            "entropy": [self.network.log_temperature],
        }
        return trained.get(objective, [])
