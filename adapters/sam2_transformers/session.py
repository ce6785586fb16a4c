"""One session of a SAM2-like video model of transformers on a video."""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Prompt
from ditta_adapt.adapters.sam2_transformers.automatic import automatic_masks
from ditta_adapt.adapters.sam2_transformers.batches import batches
from ditta_adapt.adapters.sam2_transformers.features import FrameFeatures
from ditta_adapt.adapters.sam2_transformers.runs import new_run, step
from ditta_adapt.teachers import AutoMasks, BaseSession


class Sam2VideoSession(BaseSession[FrameFeatures]):
    """Follows objects from a positive click or a mask each; offers `FeatureSource` and
    `MaskGenerator` too.

    Objects prompted in one call share a run, an inference session of transformers; later ones get
    their own: the library would encode the memory of every object on that frame as if it had been
    clicked there, so a late object would change earlier tracks. From the second frame on the
    objects of a run are followed in batches.
    """

    def __init__(self, features: FrameFeatures, mask_prompts: bool) -> None:
        super().__init__(features)
        self._mask_prompts = mask_prompts
        self._runs: list[Any] = []

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Features of the image encoder, coarsest level; the frame is squeezed to a square."""
        level = self._video_on(t).at(t)[-1]
        side = isqrt(level.shape[0])
        return level.permute(1, 2, 0).view(-1, side, side).float()

    def auto_masks(self, t: int, points: Sequence[tuple[int, int]]) -> AutoMasks:
        """See `MaskGenerator`: three masks a point, of its part, its object and what has that."""
        return automatic_masks(self._video_on(t), t, points)

    def close(self) -> None:
        """Free memories and image features; a closed session refuses to go on."""
        super().close()
        self._runs = []

    def _start(
        self, video: FrameFeatures, t: int, prompts: Sequence[Prompt]
    ) -> Bool[Tensor, "N H W"]:
        run = new_run(video, t, prompts, masks=self._mask_prompts)
        masks = step(video, run, t, reverse=False)
        self._runs += batches(video, run, t)
        return masks

    def _follow(self, video: FrameFeatures, t: int, to: int) -> Bool[Tensor, "N H W"]:
        return torch.cat([step(video, run, to, reverse=to < t) for run in self._runs])
