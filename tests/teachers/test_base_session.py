"""Calls in a wrong order or on what is not there are refused, and change nothing."""

from collections.abc import Callable, Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import DittaError, InputError, Masks, Prompt, PropagationError
from tests.teachers.rolling_propagator import (
    STEP,
    Brightness,
    RollingPropagator,
    RollingSession,
)
from tests.toys import toy_video

SIZE = (6, 9)
FRAMES = toy_video(4, SIZE)


def prompt(object_id: int, point: tuple[int, int] = (2, 3)) -> Prompt:
    return Prompt(object_id, point, torch.eye(*SIZE, dtype=torch.bool))


WRONG: list[tuple[Callable[[RollingSession], Masks], type[DittaError], str]] = [
    (lambda s: s.propagate(1, 3), PropagationError, "from frame 1 to 3; expected neighbours"),
    (lambda s: s.propagate(1, 1), PropagationError, "from frame 1 to 1; expected neighbours"),
    (lambda s: s.propagate(1, -1), PropagationError, "no frame -1: 4 have come so far"),
    (lambda s: s.propagate(3, 4), PropagationError, "no frame 4: 4 have come so far"),
    (lambda s: s.propagate(2, 3), PropagationError, "on frame 1, not 2; propagate them there"),
    (lambda s: s.prompt(4, [prompt(2)]), PropagationError, "no frame 4: 4 have come so far"),
    (lambda s: s.prompt(2, [prompt(2)]), PropagationError, "on frame 1, not 2"),
    (lambda s: s.prompt(2, []), PropagationError, "on frame 1, not 2"),
    (lambda s: s.prompt(1, [prompt(7)]), PropagationError, "object 7 was prompted already"),
    (lambda s: s.prompt(1, [prompt(2)] * 2), PropagationError, "object 2 was prompted already"),
    (
        lambda s: s.prompt(1, [prompt(3), prompt(2, (9, 0))]),
        InputError,
        r"\(9, 0\) \(x, y\) of object 2 is outside the frame of \(6, 9\)",
    ),
    (lambda s: s.prompt(1, [prompt(2, (0, 6))]), InputError, "of object 2 is outside"),
    (lambda s: s.prompt(1, [prompt(2, (-1, 0))]), InputError, "of object 2 is outside"),
]


@pytest.mark.parametrize(("call", "error", "message"), WRONG)
def test_wrong_calls(
    call: Callable[[RollingSession], Masks], error: type[DittaError], message: str
) -> None:
    with RollingPropagator().open(FRAMES) as session:
        before = session.prompt(1, [prompt(7)])
        with pytest.raises(error, match=message):
            call(session)
        after = session.prompt(1, [])
        assert after.object_ids.tolist() == before.object_ids.tolist() == [7]
        assert torch.equal(after.masks, before.masks)
        assert session.propagate(1, 2).object_ids.tolist() == [7]


@given(ids=st.lists(st.integers(1, 50), min_size=1, max_size=5, unique=True), data=st.data())
def test_any_number_of_objects_at_any_time(ids: list[int], data: st.DataObject) -> None:
    """Each goes its own way from where it started, in the order of prompting."""
    starts = sorted(data.draw(st.lists(st.integers(0, 3), min_size=len(ids), max_size=len(ids))))
    with RollingPropagator().open(FRAMES) as session:
        for t in range(4):
            masks = session.propagate(t - 1, t) if t else session.prompt(0, [])
            new = [index for index, start in zip(ids, starts, strict=True) if start == t]
            masks = session.prompt(t, [prompt(object_id) for object_id in new])
            known = [start for start in starts if start <= t]
            assert masks.object_ids.tolist() == ids[: len(known)]
            assert masks.object_ids.dtype == torch.int64
            for mask, start in zip(masks.masks, known, strict=True):
                assert torch.equal(mask, torch.eye(*SIZE).bool().roll(STEP * (t - start), dims=1))


def test_without_objects_it_goes_anywhere_and_does_nothing() -> None:
    with RollingPropagator().open(FRAMES) as session:
        for masks in (session.prompt(2, []), session.propagate(0, 1), session.propagate(3, 2)):
            assert masks.object_ids.dtype == torch.int64
            assert masks.masks.shape == (0, *SIZE)
            assert masks.masks.dtype == torch.bool
        assert session._video is not None
        assert session._video.computed == []


def test_what_is_handed_out_is_the_callers() -> None:
    with RollingPropagator().open(FRAMES) as session:
        session.prompt(0, [prompt(1)]).masks.zero_()
        assert session.prompt(0, []).masks.any()


def test_a_closed_session() -> None:
    with RollingPropagator().open(FRAMES) as session:
        session.prompt(0, [prompt(1)])
    for call in (lambda: session.prompt(0, []), lambda: session.propagate(0, 1)):
        with pytest.raises(PropagationError, match="closed; open a new one"):
            call()


def test_what_fails_half_way_counts_as_not_done() -> None:
    class Failing(RollingSession):
        def _start(self, video: Brightness, t: int, prompts: Sequence[Prompt]) -> Tensor:
            raise RuntimeError("start")

        def _follow(self, video: Brightness, t: int, to: int) -> Tensor:
            raise RuntimeError("follow")

    with RollingPropagator().open(FRAMES) as session:
        session.prompt(0, [prompt(1)])
        session.__class__ = Failing
        with pytest.raises(RuntimeError, match="start"):
            session.prompt(0, [prompt(2)])
        with pytest.raises(RuntimeError, match="follow"):
            session.propagate(0, 1)
        session.__class__ = RollingSession
        assert session.prompt(0, []).object_ids.tolist() == [1]
        assert session.propagate(0, 1).object_ids.tolist() == [1]
