"""Which frames are looked at closely."""

from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.running.sampling import MOST, Sampling


def run(sampling: Sampling, frames: int) -> Sampling:
    for index in range(frames):
        sampling = sampling.after(index)
    return sampling


@given(st.integers(1, 5000), st.none() | st.integers(1, 5000))
def test_taken_frames_are_few_and_evenly_spread(frames: int, expected: int | None) -> None:
    after = run(Sampling.expecting(expected), frames)
    assert len(after.taken) <= MOST
    assert after.taken == tuple(range(0, frames, after.step))
    if expected is None:
        # Where nobody knew the length, at least half of what might be is taken.
        assert len(after.taken) >= min(frames, MOST // 2)


@given(st.integers(1, 100_000))
def test_what_is_expected_needs_no_second_thought(frames: int) -> None:
    sampling = Sampling.expecting(frames)
    assert len(range(0, frames, sampling.step)) <= MOST
    assert sampling.step == 1 or len(range(0, frames, sampling.step - 1)) > MOST
