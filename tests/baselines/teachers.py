"""Small teachers: one that can be bent at every call, counts its sessions, and may fail."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from ditta_adapt import Frame, Masks, Prompt
from tests.toys import StillSession


class Teacher:
    """Still masks; `bend` changes every answer, `fail_at` raises on reaching a frame.

    Attributes:
        open_sessions: how many are open now.
        opened: how many ever were.
        prompts: all that were ever given, as `(t, prompt)`.
    """

    def __init__(
        self,
        bend: Callable[[Masks], Masks] = lambda masks: masks,
        *,
        fail_at: int | None = None,
        session: Callable[..., Any] | None = None,
    ) -> None:
        self.bend, self.fail_at = bend, fail_at
        self.session = session or Session
        self.open_sessions = self.opened = 0
        self.prompts: list[tuple[int, Prompt]] = []

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        self.open_sessions += 1
        self.opened += 1
        try:
            yield self.session(self, frames)
        finally:
            self.open_sessions -= 1


class Session(StillSession):
    def __init__(self, teacher: Teacher, frames: Sequence[Frame]) -> None:
        super().__init__(frames)
        self.teacher, self.frames = teacher, frames

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> Masks:
        self.teacher.prompts += [(t, prompt) for prompt in prompts]
        return self.teacher.bend(super().prompt(t, prompts))

    def propagate(self, t: int, to: int) -> Masks:
        if to == self.teacher.fail_at:
            raise RuntimeError("out of memory")
        # As a teacher that reads its two frames would.
        assert self.frames[t].shape == self.frames[to].shape
        return self.teacher.bend(super().propagate(t, to))


class FeatureSession(Session):
    """Shows two features on a grid of the frame's size: red, and a constant."""

    def features(self, t: int) -> torch.Tensor:
        red = torch.as_tensor(self.frames[t])[..., 0].float()
        return torch.stack([red, torch.ones_like(red)])


def grown(masks: Masks) -> Masks:
    """Every mask a column further to the right."""
    wide = masks.masks.clone()
    wide[:, :, 1:] |= masks.masks[:, :, :-1]
    return Masks(masks.object_ids, wide)


def emptied(masks: Masks) -> Masks:
    """No object is in sight."""
    return Masks(masks.object_ids, torch.zeros_like(masks.masks))
