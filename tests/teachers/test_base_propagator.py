"""What sessions share: all that depends on frames alone, while they are open on the same object."""

import gc
import weakref
from contextlib import suppress

import numpy as np
import pytest
import torch

from ditta_adapt import (
    InputError,
    LiveFrames,
    Prompt,
    PropagationSession,
    Propagator,
    ShapeError,
)
from ditta_adapt.testing import check_propagator
from tests.teachers.rolling_propagator import Brightness, RollingPropagator, RollingSession
from tests.toys import toy_video

SIZE = (6, 9)


def prompt(object_id: int = 1) -> Prompt:
    return Prompt(object_id, (2, 3), torch.eye(*SIZE, dtype=torch.bool))


def go(session: RollingSession, order: range) -> None:
    session.prompt(order[0], [prompt()])
    for t in order[1:]:
        session.propagate(t - order.step, t)


def video_of(session: RollingSession) -> Brightness:
    assert session._video is not None
    return session._video


def test_keeps_the_protocols() -> None:
    propagator = RollingPropagator()
    assert isinstance(propagator, Propagator)
    with propagator.open(toy_video(1, SIZE)) as session:
        assert isinstance(session, PropagationSession)
    report = check_propagator(RollingPropagator, on_fail="report")
    assert report.ok, str(report)


def test_sessions_on_the_same_frames_compute_once() -> None:
    frames, propagator = toy_video(4, SIZE), RollingPropagator()
    with propagator.open(frames) as forward, propagator.open(frames) as backward:
        go(forward, range(4))
        go(backward, range(3, -1, -1))
        assert video_of(forward) is video_of(backward)
        assert video_of(forward).computed == [0, 1, 2, 3]
        # Nothing else is shared.
        assert not torch.equal(forward.prompt(3, []).masks, backward.prompt(0, []).masks)


def test_a_copy_of_the_frames_is_another_video() -> None:
    frames, propagator = toy_video(2, SIZE), RollingPropagator()
    for copy in (list(frames), tuple(frames)):
        with propagator.open(frames) as session, propagator.open(copy) as other:
            assert video_of(session) is not video_of(other)


def test_two_propagators_share_nothing() -> None:
    frames = toy_video(2, SIZE)
    with RollingPropagator().open(frames) as one, RollingPropagator().open(frames) as other:
        assert video_of(one) is not video_of(other)


def test_one_that_stays_open_keeps_what_is_shared() -> None:
    frames, propagator = toy_video(2, SIZE), RollingPropagator()
    with propagator.open(frames) as first:
        go(first, range(2))
        with propagator.open(frames) as second:
            assert video_of(first).sessions == 2
            go(second, range(2))
        assert video_of(first).sessions == 1
        with propagator.open(frames) as third:
            go(third, range(2))
        assert video_of(first).computed == [0, 1]


@pytest.mark.parametrize("cycle", [False, True])
def test_the_last_to_close_frees_it(cycle: bool) -> None:
    frames, propagator = toy_video(2, SIZE), RollingPropagator()
    with propagator.open(frames) as first, propagator.open(frames) as second:
        go(first, range(2))
        shared = weakref.ref(video_of(first))
        if cycle:
            # One that only the garbage collector finds, later.
            video_of(first).itself = video_of(first)  # type: ignore[attr-defined]
        first.close()
        first.close()
        assert video_of(second).sessions == 1
        second.close()
        assert (shared() is None) != cycle
        # Also where it is not yet gone, the next session begins anew.
        with propagator.open(frames) as third:
            assert video_of(third) is not shared()
            assert video_of(third).sessions == 1
    gc.collect()
    assert shared() is None


def test_frames_are_not_kept() -> None:
    class Frames(list[np.ndarray]):
        pass

    frames, propagator = Frames(toy_video(3, SIZE)), RollingPropagator()
    gone = [weakref.ref(frames), *(weakref.ref(frame) for frame in frames)]
    with suppress(KeyError), propagator.open(frames) as session:
        go(session, range(3))
        raise KeyError
    del frames
    gc.collect()
    # Although the propagator and the closed session are still there.
    assert [reference() for reference in gone] == [None] * 4
    assert session._masks.untyped_storage().nbytes() == 0


def test_frames_that_cannot_be_used() -> None:
    propagator = RollingPropagator()
    with pytest.raises(InputError, match="no frames: a session needs"), propagator.open([]):
        pass
    grey = [np.zeros(SIZE, np.uint8)]
    with pytest.raises(ShapeError, match="frame 0 has shape"), propagator.open(grey):
        pass
    video = [*toy_video(1, SIZE), *toy_video(1, (3, 4))]
    with propagator.open(video) as session:
        session.prompt(0, [prompt()])
        with pytest.raises(ShapeError, match=r"frame 1 is \(3, 4\) \(H, W\) but the video is \(6"):
            session.propagate(0, 1)
        assert session.prompt(0, []).object_ids.tolist() == [1]


def test_a_live_video(unchecked: None) -> None:
    video, frames, propagator = toy_video(6, SIZE), LiveFrames(), RollingPropagator()
    for frame in video[:4]:
        frames.append(frame)
    with propagator.open(frames) as session, propagator.open(frames) as other:
        assert video_of(session) is video_of(other)
        assert video_of(session).live
        assert (len(video_of(session)), video_of(session).oldest) == (4, 2)
        session.prompt(3, [prompt()])
        frames.append(video[4])
        session.propagate(3, 4)
        assert (len(video_of(session)), video_of(session).oldest) == (5, 3)
    with propagator.open(video) as session:
        assert not video_of(session).live
