"""One session of a SAM2-like video model of transformers on a video."""

from collections.abc import Sequence
from math import isqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt import Masks, Prompt, PropagationError
from ditta_adapt.adapters._sam2_video_features import FrameFeatures


class Sam2VideoSession:
    """Follows objects from a positive click or a mask each.

    Objects prompted in one call share an inference session of transformers, later ones get their
    own: the library would encode the memory of every object on that frame as if it had been
    clicked there, so a late object would change earlier tracks.
    """

    def __init__(self, features: FrameFeatures) -> None:
        self._features: FrameFeatures | None = features
        features.sessions += 1
        self._runs: list[Any] = []
        self._ids: list[int] = []
        self._at = 0
        self._masks = torch.zeros(0, *features.size, dtype=torch.bool)

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        """Start new objects on frame `t`, the frame last reached."""
        features = self._alive(t)
        ids = [prompt.object_id for prompt in prompts]
        for object_id in ids:
            if (self._ids + ids).count(object_id) > 1:
                raise PropagationError(f"object {object_id} was prompted already.")
        if prompts:
            run = features.new_run(t, prompts)
            masks = features.step(run, t, reverse=False)
            self._runs.append(run)
            self._ids += ids
            self._masks, self._at = torch.cat([self._masks, masks]), t
        return self._current()

    def propagate(self, t: int, to: int) -> Masks:
        """Follow all objects to a neighbouring frame; one that is out of sight has no pixel."""
        features = self._alive(t, to)
        if abs(t - to) != 1:
            raise PropagationError(f"cannot go from frame {t} to {to}; expected neighbours.")
        masks = [features.step(run, to, reverse=to < t) for run in self._runs]
        self._masks, self._at = torch.cat([self._masks[:0], *masks]), to
        return self._current()

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Features of the image encoder, coarsest level; the frame is squeezed to a square."""
        level = self._alive(t).at(t)[-1]
        side = isqrt(level.shape[0])
        return level.permute(1, 2, 0).view(-1, side, side).float()

    def close(self) -> None:
        """Free memories and features; a closed session refuses to go on."""
        if self._features is not None:
            self._features.sessions -= 1
        self._features = None
        self._runs = []
        self._masks = self._masks[:0].clone()

    def _current(self) -> Masks:
        return Masks(torch.tensor(self._ids, dtype=torch.int64), self._masks.clone())

    def _alive(self, t: int, *others: int) -> FrameFeatures:
        if self._features is None:
            raise PropagationError("the session is closed; open a new one.")
        for index in (t, *others):
            if not 0 <= index < len(self._features.frames):
                raise PropagationError(
                    f"there is no frame {index} of {len(self._features.frames)}."
                )
        if self._runs and t != self._at:
            raise PropagationError(
                f"the objects are on frame {self._at}, not {t}; propagate them there first."
            )
        return self._features
