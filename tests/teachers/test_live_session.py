"""Objects followed through a video that is still coming in, by a session that is held open."""

import gc

import pytest
import torch

from ditta_adapt import LiveFrames, Prompt, PropagationError
from ditta_adapt.teachers.live_session import LiveSession
from tests.teachers.brightness_propagator import BrightnessPropagator
from tests.toys import toy_video

SIZE = (6, 8)


def prompt(object_id: int) -> Prompt:
    return Prompt(object_id, (1, 2), torch.ones(SIZE, dtype=torch.bool))


def test_follows_to_whatever_came_last_and_closes() -> None:
    propagator, video, frames = BrightnessPropagator(), toy_video(5, SIZE), LiveFrames()
    frames.append(video[0])
    frames.append(video[1])
    session = LiveSession(propagator, frames)
    assert session.prompt([prompt(4)]).object_ids.tolist() == [4]
    for frame in video[2:]:
        frames.append(frame)
        assert session.advance().masks.shape == (1, *SIZE)
    assert session.prompt([prompt(2)]).object_ids.tolist() == [4, 2]
    assert session.shows_features
    assert float(session.features()[0, 0, 0]) == pytest.approx(float(video[4].mean()), rel=1e-5)
    session.close()
    session.close()
    assert (propagator.opened, propagator.closed) == (1, 1)
    with pytest.raises(PropagationError, match="the session is closed"):
        session.advance()


def test_closed_when_it_is_garbage() -> None:
    propagator, frames = BrightnessPropagator(), LiveFrames()
    frames.append(toy_video(1, SIZE)[0])
    session = LiveSession(propagator, frames)
    session.prompt([prompt(1)])
    del session
    gc.collect()
    assert propagator.closed == 1


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("open", "open"),
        ("prompt", r"prompt\(0, \.\.\.\)"),
        ("propagate", r"propagate\(0, 1\)"),
        ("close", "close"),
    ],
)
def test_errors_name_the_call(call: str, named: str) -> None:
    propagator, video, frames = BrightnessPropagator(), toy_video(2, SIZE), LiveFrames()
    propagator.fails = {call}
    frames.append(video[0])

    def run() -> None:
        session = LiveSession(propagator, frames)
        session.prompt([prompt(1)])
        frames.append(video[1])
        session.advance()
        session.close()

    with pytest.raises(PropagationError, match=f"raised in {named}: RuntimeError: {call} went"):
        run()
    propagator.fails = set()
