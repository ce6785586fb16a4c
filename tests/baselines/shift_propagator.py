"""A teacher for a world that moves a whole number of columns a frame: dense transport, exactly."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from ditta_adapt import Frame, Masks
from tests.toys import StillSession


class ShiftPropagator:
    """What is in column `x` of one frame is in column `x + step` of the next."""

    def __init__(self, step: int = 1) -> None:
        self.step = step
        self.opened: list[Sequence[Frame]] = []
        self.closed = 0

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["ShiftSession"]:
        self.opened.append(frames)
        yield ShiftSession(frames, self.step)
        self.closed += 1


class ShiftSession(StillSession):
    def __init__(self, frames: Sequence[Frame], step: int) -> None:
        super().__init__(frames)
        self.step = step

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        move = self.step * (to - t)
        columns = torch.arange(maps.shape[2]) - move
        valid = ((columns >= 0) & (columns < maps.shape[2])).expand(maps.shape[1:])
        return maps.roll(move, dims=2) * valid, valid.clone()

    def propagate(self, t: int, to: int) -> Masks:
        moved, _ = self.warp(self._masks.float(), t, to)
        self._masks = moved > 0.5
        return super().propagate(t, to)
