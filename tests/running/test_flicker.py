"""Flicker, motion taken out."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ditta_adapt import Frame
from ditta_adapt.running.flicker import MOST_SIDE, changed_labels
from ditta_adapt.teachers.registry import find_propagator
from tests.toys import toy_video


class Shift:
    """Everything moves so many cells to the right; what comes in at the left was nowhere."""

    def __init__(self, cells: int) -> None:
        self.cells = cells

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator["Shift"]:
        yield self

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        valid = torch.ones(maps.shape[1:], dtype=torch.bool)
        valid[:, : self.cells] = False
        return maps.roll(self.cells, 2), valid

    prompt = propagate = None


def test_labels_that_move_with_the_picture_do_not_flicker() -> None:
    frames = [np.zeros((8, 10, 3), np.uint8)] * 2
    before = np.arange(80).reshape(8, 10) % 7
    moved, still = np.roll(before, 2, axis=1), before
    both = [(before, moved), (before, still)]
    compared, changed = changed_labels(Shift(2), (frames[0], frames[1]), both)
    known = np.ones((8, 10), bool)
    known[:, :2] = False
    assert np.array_equal(compared, known)
    assert not changed[0].any()
    # 2 is no multiple of 7: every label that stands still is another one's.
    assert np.array_equal(changed[1], known)


def test_flow_follows_a_real_motion() -> None:
    """Labels that are stripes of the texture itself move with it."""
    video = toy_video(2, size=(96, 128))
    labels = [frame[..., 0] // 64 for frame in video]
    flow, both = find_propagator("flow"), (video[0], video[1])
    compared, changed = changed_labels(flow, both, [(labels[0], labels[1])])
    still = (labels[0] != labels[1]).mean()
    assert changed[0].sum() / compared.sum() < 0.5 * still


def test_large_frames_are_compared_on_a_coarse_grid() -> None:
    size = (90, 3 * MOST_SIDE)
    frames = (np.zeros((*size, 3), np.uint8),) * 2
    labels = np.zeros(size, int)
    compared, _ = changed_labels(Shift(0), frames, [(labels, labels)])
    assert compared.shape == (30, MOST_SIDE)
