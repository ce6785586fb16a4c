"""One session of the `sam2` package's video predictor on a video."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Prompt
from ditta_adapt.adapters.sam2.features import ImageFeatures
from ditta_adapt.adapters.sam2.tracking import new_state, track
from ditta_adapt.teachers import BaseSession


class SAM2Session(BaseSession[ImageFeatures]):
    """Tracks each object on its own; offers `FeatureSource` too."""

    def __init__(self, features: ImageFeatures, mask_prompts: bool) -> None:
        super().__init__(features)
        self._mask_prompts = mask_prompts
        self._state = new_state(features)

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Features of the image encoder, coarsest level; the frame is squeezed to a square."""
        video = self._video_on(t)
        with video.inference():
            level = video[t][1]["backbone_fpn"][-1][0]
        # Outside of the package's inference mode, a copy is an ordinary tensor.
        return level.clone().float()

    def close(self) -> None:
        """Free memories and image features; a closed session refuses to go on."""
        super().close()
        self._state = {}

    def _start(
        self, video: ImageFeatures, t: int, prompts: Sequence[Prompt]
    ) -> Bool[Tensor, "N H W"]:
        with video.inference():
            self._state["cached_features"] = {t: video[t]}
            for prompt in prompts:
                logits = self._add(video.predictor, t, prompt)
            # Encodes the memories of the new objects, while the features of this frame are there.
            video.predictor.propagate_in_video_preflight(self._state)
        # The logits are those of all objects, the new ones last.
        return _masks(logits[-len(prompts) :])

    def _follow(self, video: ImageFeatures, t: int, to: int) -> Bool[Tensor, "N H W"]:
        predictor = video.predictor
        with video.inference():
            self._state["num_frames"] = video.count
            self._state["cached_features"] = {to: video[to]}
            objects = self._state["output_dict_per_obj"].values()
            low = [track(predictor, self._state, each, t, to) for each in objects]
            _, logits = predictor._get_orig_video_res_output(self._state, torch.cat(low))
        return _masks(logits)

    def _add(self, predictor: Any, t: int, prompt: Prompt) -> Tensor:
        """Logits of all objects, with a new one."""
        logits: Tensor
        if self._mask_prompts:
            _, _, logits = predictor.add_new_mask(self._state, t, prompt.object_id, prompt.region)
        else:
            _, _, logits = predictor.add_new_points_or_box(
                self._state, t, prompt.object_id, points=[prompt.point], labels=[1]
            )
        return logits


def _masks(logits: Float[Tensor, "N 1 H W"]) -> Bool[Tensor, "N H W"]:
    # Called outside the package's inference mode, so that callers get ordinary tensors.
    return (logits[:, 0] > 0).cpu()
