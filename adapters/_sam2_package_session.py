"""One session of the `sam2` package's video predictor on a video."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt import InputError, Masks, Prompt, PropagationError
from ditta_adapt.adapters._sam2_package_state import ImageFeatures, new_state, track


class SAM2Session:
    """One run over one list of frames. Each object is tracked on its own."""

    def __init__(self, features: ImageFeatures, mask_prompts: bool) -> None:
        self._features: ImageFeatures | None = features
        self._mask_prompts = mask_prompts
        self._state = new_state(features)
        self._masks = torch.zeros(0, *features.size, dtype=torch.bool)
        self._reached = 0

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """Start new objects on frame `t`, the frame last reached."""
        features = self._alive(t)
        ids = list(self._state["obj_ids"])
        for prompt in prompts:
            (x, y), (height, width) = prompt.point, features.size
            if not (0 <= x < width and 0 <= y < height):
                raise InputError(f"the point {(x, y)} is outside the frame of {height, width}.")
            if prompt.object_id in ids:
                raise PropagationError(f"object {prompt.object_id} was prompted already.")
            ids.append(prompt.object_id)
        if not prompts:
            return self._current()
        with features.inference():
            self._state["cached_features"] = {t: features[t]}
            for prompt in prompts:
                logits = self._start(features.predictor, t, prompt)
            # Encodes the memories of the new objects, while the features of this frame are there.
            features.predictor.propagate_in_video_preflight(self._state)
        return self._reach(t, logits)

    def propagate(self, t: int, to: int) -> Masks:
        """Track all objects from frame `t` to a neighbour."""
        features = self._alive(t)
        if abs(t - to) != 1 or not 0 <= to < len(features.frames):
            raise PropagationError(
                f"cannot go from frame {t} to {to} of {len(features.frames)}; expected neighbours."
            )
        if not self._state["obj_ids"]:
            return self._current()
        with features.inference():
            self._state["num_frames"] = features.count
            self._state["cached_features"] = {to: features[to]}
            objects = self._state["output_dict_per_obj"].values()
            low = [track(features.predictor, self._state, each, t, to) for each in objects]
            _, logits = features.predictor._get_orig_video_res_output(self._state, torch.cat(low))
        return self._reach(to, logits)

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Features of the image encoder, coarsest level; the frame is squeezed to a square."""
        features = self._alive(t)
        with features.inference():
            level = features[t][1]["backbone_fpn"][-1][0]
        # Outside of the package's inference mode, a copy is an ordinary tensor.
        return level.clone().float()

    def close(self) -> None:
        """Free memories and image features; a closed session refuses to go on."""
        self._features = None
        self._state = {}
        self._masks = self._masks[:0].clone()

    def _start(self, predictor: Any, t: int, prompt: Prompt) -> Tensor:
        """Logits of all objects, with a new one."""
        logits: Tensor
        if self._mask_prompts:
            _, _, logits = predictor.add_new_mask(self._state, t, prompt.object_id, prompt.region)
        else:
            _, _, logits = predictor.add_new_points_or_box(
                self._state, t, prompt.object_id, points=[prompt.point], labels=[1]
            )
        return logits

    def _reach(self, t: int, logits: Tensor) -> Masks:
        # Called outside the package's inference mode, so that callers get ordinary tensors.
        self._masks, self._reached = (logits[:, 0] > 0).cpu(), t
        return self._current()

    def _current(self) -> Masks:
        return Masks(torch.tensor(self._state["obj_ids"], dtype=torch.int64), self._masks.clone())

    def _alive(self, t: int) -> ImageFeatures:
        if self._features is None:
            raise PropagationError("the session is closed; open a new one.")
        if not 0 <= t < len(self._features.frames):
            raise PropagationError(f"there is no frame {t} in {len(self._features.frames)}.")
        if self._state["obj_ids"] and t != self._reached:
            raise PropagationError(
                f"the objects are on frame {self._reached}, not {t}; propagate them there first."
            )
        return self._features
