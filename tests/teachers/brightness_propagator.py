"""A teacher that moves maps by what their frames say, and counts what is done with it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ditta_adapt import Frame, Masks, Prompt


def brightness(frame: Frame) -> float:
    return float(torch.as_tensor(frame).float().mean())


class BrightnessSession:
    """Adds to a map by how much brighter the frame is that it goes to."""

    def __init__(self, frames: Sequence[Frame], owner: "BrightnessPropagator") -> None:
        self.frames = frames
        self.owner = owner
        self.ids: list[int] = []

    def _may_fail(self, call: str) -> None:
        if call in self.owner.fails:
            raise RuntimeError(f"{call} went wrong")

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        self._may_fail("prompt")
        self.ids += [prompt.object_id for prompt in prompts]
        return self._masks(t)

    def propagate(self, t: int, to: int) -> Masks:
        self._may_fail("propagate")
        return self._masks(to)

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        self._may_fail("warp")
        change = brightness(self.frames[to]) - brightness(self.frames[t])
        return maps + change, torch.ones(maps.shape[1:], dtype=torch.bool)

    def features(self, t: int) -> Tensor:
        return torch.full((2, 1, 1), brightness(self.frames[t]))

    def _masks(self, t: int) -> Masks:
        height, width = self.frames[t].shape[:2]
        filled = torch.ones(len(self.ids), height, width, dtype=torch.bool)
        return Masks(torch.tensor(self.ids, dtype=torch.int64), filled)


class BrightnessPropagator:
    """Calls named in `fails` raise; `opened` and `closed` count."""

    def __init__(self) -> None:
        self.opened = self.closed = 0
        self.fails: set[str] = set()

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[BrightnessSession]:
        if "open" in self.fails:
            raise RuntimeError("open went wrong")
        self.opened += 1
        try:
            yield BrightnessSession(frames, self)
        finally:
            self.closed += 1
            if "close" in self.fails:
                raise RuntimeError("close went wrong")
