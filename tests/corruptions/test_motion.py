import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.motion import motion_blur

clips = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 8), st.integers(1, 3), st.just(2), st.just(3))
)


def levels(strength: str, values: list[int]) -> list[int]:
    clip = [np.full((2, 3, 3), value, np.uint8) for value in values]
    frames = [np.asarray(frame) for frame in Corruption("motion_blur", strength).apply(clip)]
    assert all((frame == frame[0, 0, 0]).all() for frame in frames)
    return [int(frame[0, 0, 0]) for frame in frames]


@pytest.mark.parametrize(
    ("strength", "expected"),
    [
        ("low", [0, 60, 30, 0]),  # (1, 2) / 3
        ("med", [0, 60, 30, 15]),  # (1, 2, 3) / 6
        ("high", [0, 60, 30, 18]),  # (1, 2, 3, 4) / 10
    ],
)
def test_by_hand(strength: str, expected: list[int]) -> None:
    assert levels(strength, [0, 90, 0, 0]) == expected


@given(clips, st.integers(1, 5))
def test_weighted_mean(clip: np.ndarray, window: int) -> None:
    result = list(motion_blur(iter(clip), window))
    assert len(result) == len(clip)
    for t, frame in enumerate(result):
        past = clip[max(0, t - window + 1) : t + 1].astype(float)
        exact = np.average(past, axis=0, weights=np.arange(1, len(past) + 1))
        assert np.abs(frame - exact).max() <= 0.5 + 1e-9


@given(clips, st.integers(1, 5))
def test_the_first_frame_and_still_videos_are_unchanged(clip: np.ndarray, window: int) -> None:
    assert np.array_equal(next(motion_blur(iter(clip), window)), clip[0])
    still = [clip[0]] * 6
    assert all(np.array_equal(frame, clip[0]) for frame in motion_blur(still, window))
