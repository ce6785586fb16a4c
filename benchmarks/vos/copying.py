"""The least that can be done: masks stay where they began."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ditta_adapt import Frame, Prompt
from ditta_adapt.teachers import BasePropagator, BaseSession, SharedVideo


class CopyingSession(BaseSession[SharedVideo]):
    """Nothing moves."""

    def _start(self, video: SharedVideo, t: int, prompts: Sequence[Prompt]) -> Tensor:
        return torch.stack([prompt.region for prompt in prompts])

    def _follow(self, video: SharedVideo, t: int, to: int) -> Tensor:
        return self._masks


class Copying(BasePropagator[SharedVideo, CopyingSession]):
    """Opens such sessions."""

    def _watch(self, frames: Sequence[Frame]) -> SharedVideo:
        return SharedVideo(frames)

    def _session(self, video: SharedVideo) -> CopyingSession:
        return CopyingSession(video)
