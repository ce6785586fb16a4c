"""Which frames are looked at closely."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.running.sampling import LEAST, MOST, Sampling


def run(sampling: Sampling, frames: int) -> Sampling:
    for index in range(frames):
        sampling = sampling.after(index)
    return sampling


@given(st.integers(1, 5000), st.none() | st.integers(1, 5000))
def test_taken_frames_are_few_and_evenly_spread(frames: int, expected: int | None) -> None:
    after = run(Sampling.expecting(expected), frames)
    assert len(after.taken) <= MOST
    assert after.taken == tuple(range(0, frames, after.step))


@given(st.integers(1, 100_000))
def test_what_is_expected_needs_no_second_thought(frames: int) -> None:
    taken = len(range(0, frames, Sampling.expecting(frames).step))
    assert taken <= MOST
    assert taken >= min(frames, LEAST)
    # Two passes of the image model each.
    assert 2 * taken <= max(0.04 * frames + 2, 2 * (LEAST + 12))


@pytest.mark.parametrize(
    ("frames", "step"), [(1, 1), (12, 1), (24, 2), (289, 24), (1000, 50), (10_000, 134), (None, 50)]
)
def test_steps(frames: int | None, step: int) -> None:
    assert Sampling.expecting(frames).step == step
