"""Carrying maps with any teacher, and what is said of teachers that do not."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor

from ditta_adapt import PropagationError
from ditta_adapt.teachers.checked_calls import open_warper, warp_maps
from tests.toys import StillPropagator, toy_video

FRAMES = toy_video(2, size=(4, 5))


class Carrier:
    def __init__(self, valid: Tensor) -> None:
        self.valid = valid

    def warp(self, maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
        if to == 7:
            raise RuntimeError("lost")
        return (maps if to else maps[1:]), self.valid


def test_what_the_session_says() -> None:
    maps, valid = torch.rand(3, 4, 5), torch.rand(4, 5) > 0.5
    moved, trusted = warp_maps(Carrier(valid), maps, 0, 1)
    assert torch.equal(moved, maps)
    assert torch.equal(trusted, valid)


@pytest.mark.usefixtures("unchecked")
class TestBrokenSessions:
    def test_raises(self) -> None:
        with pytest.raises(PropagationError, match=r"warp\(\.\.\., 6, 7\).*RuntimeError: lost"):
            warp_maps(Carrier(torch.ones(4, 5).bool()), torch.rand(3, 4, 5), 6, 7)

    def test_maps_of_another_shape(self) -> None:
        with pytest.raises(PropagationError, match=r"1, 0.*\(2, 4, 5\); expected.*\(3, 4, 5\)"):
            warp_maps(Carrier(torch.ones(4, 5).bool()), torch.rand(3, 4, 5), 1, 0)

    def test_valid_of_another_shape_or_dtype(self) -> None:
        for valid in (torch.ones(1, 4, 5).bool(), torch.ones(4, 5)):
            with pytest.raises(PropagationError, match=r"valid map of.*expected \(4, 5\) bool"):
                warp_maps(Carrier(valid), torch.rand(3, 4, 5), 0, 1)


def test_teacher_without_transport() -> None:
    with (
        pytest.raises(PropagationError, match=r"StillPropagator cannot warp.*\"flow\""),
        open_warper(StillPropagator(), FRAMES),
    ):
        pass


def test_sessions_are_closed_also_after_an_error() -> None:
    closed: list[bool] = []

    class Teacher:
        @contextmanager
        def open(self, frames: object) -> Iterator[Carrier]:
            try:
                yield Carrier(torch.ones(4, 5).bool())
            finally:
                closed.append(True)

    with pytest.raises(KeyError), open_warper(Teacher(), FRAMES):
        raise KeyError
    assert closed == [True]
