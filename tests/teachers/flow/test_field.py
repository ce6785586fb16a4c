"""Flow of a video: begun early, computed once, kept while its frames are."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt.teachers import LiveFrames
from ditta_adapt.teachers.flow import FlowField

CPU = torch.device("cpu")


class Counting:
    """Flow of as many pixels as grey levels differ; counts what it is asked for."""

    def __init__(self) -> None:
        self.prepared: list[int] = []
        self.asked: list[tuple[int, int]] = []
        self.fails = False

    def prepare(self, frame: Tensor, size: tuple[int, int]) -> int:
        self.prepared.append(int(frame[0, 0, 0]))
        return self.prepared[-1]

    def flow(self, first: int, second: int) -> Tensor:
        self.asked.append((first, second))
        if self.fails:
            raise RuntimeError("lost its way")
        flow = torch.zeros(2, 2, 16, 20)
        flow[0, 0], flow[1, 0] = second - first, first - second
        return flow


def frame(level: int) -> np.ndarray:
    return np.full((16, 20, 3), level, dtype=np.uint8)


def live(count: int) -> LiveFrames:
    frames = LiveFrames(keep=2)
    for t in range(count):
        frames.append(frame(t))
    return frames


def field_of(frames: LiveFrames, estimator: Counting) -> FlowField:
    return FlowField(frames, lambda device: estimator, 512, 2.0)


def test_what_was_begun_is_what_is_looked_up() -> None:
    estimator, frames = Counting(), live(2)
    field = field_of(frames, estimator)
    field.expect(0, 1)
    # Nobody has said yet where maps are.
    assert estimator.asked == []
    field.lookup(0, 1, (16, 20), CPU)
    for t in range(2, 5):
        frames.append(frame(t))
        field.expect(t - 1, t)
        field.expect(t - 1, t)
        grid, valid = field.lookup(t - 1, t, (16, 20), CPU)
        # One pixel to the right, so looked up one to the left.
        assert float(grid[0, 5, 0]) == pytest.approx(2 * 4 / 19 - 1)
        assert valid[:, 1:].all()
        assert not valid[:, 0].any()
        # And back again.
        back, _ = field.lookup(t, t - 1, (16, 20), CPU)
        assert float(back[0, 5, 0]) == pytest.approx(2 * 6 / 19 - 1)
    assert estimator.asked == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert estimator.prepared == [0, 1, 2, 3, 4]
    assert list(field._flows) == [(3, 4)]


def test_what_was_begun_and_never_asked_for() -> None:
    estimator, frames = Counting(), live(2)
    field = field_of(frames, estimator)
    field.lookup(0, 1, (16, 20), CPU)
    for t in range(2, 6):
        frames.append(frame(t))
        field.expect(t - 1, t)
    field.lookup(4, 5, (16, 20), CPU)
    assert list(field._flows) == [(4, 5)]


def test_errors_come_where_the_flow_is_asked_for() -> None:
    estimator, frames = Counting(), live(2)
    field = field_of(frames, estimator)
    field.lookup(0, 1, (16, 20), CPU)
    estimator.fails = True
    frames.append(frame(2))
    field.expect(1, 2)
    with pytest.raises(RuntimeError, match="lost its way"):
        field.lookup(1, 2, (16, 20), CPU)
