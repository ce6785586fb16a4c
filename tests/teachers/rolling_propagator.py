"""A small propagator on the base classes: masks roll by `STEP` columns a frame."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ditta_adapt import Frame, Prompt
from ditta_adapt.teachers import BasePropagator, BaseSession, SharedVideo

# As fast as the square of the conformance suite's video.
STEP = 4


class Brightness(SharedVideo):
    """What is shared: the brightness of frames, and which of them it was computed for."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        super().__init__(frames)
        self.computed: list[int] = []
        self._kept: dict[int, float] = {}

    def at(self, t: int) -> float:
        if t not in self._kept:
            self._kept[t] = float(self.frame(t).float().mean())
            self.computed.append(t)
        return self._kept[t]


class RollingSession(BaseSession[Brightness]):
    """Starts from regions; looks at every frame it goes to."""

    def _start(self, video: Brightness, t: int, prompts: Sequence[Prompt]) -> Tensor:
        video.at(t)
        return torch.stack([prompt.region for prompt in prompts])

    def _follow(self, video: Brightness, t: int, to: int) -> Tensor:
        video.at(to)
        return self._masks.roll(STEP * (to - t), dims=2)


class RollingPropagator(BasePropagator[Brightness, RollingSession]):
    def _watch(self, frames: Sequence[Frame]) -> Brightness:
        return Brightness(frames)

    def _session(self, video: Brightness) -> RollingSession:
        return RollingSession(video)
