"""A video that is still coming in."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError, LiveFrames
from ditta_adapt.teachers.live_frames import oldest_kept


def frame(value: int) -> np.ndarray:
    return np.full((2, 3, 3), value, dtype=np.uint8)


def value_of(image: object) -> int:
    assert isinstance(image, np.ndarray)
    return int(image[0, 0, 0])


def test_by_hand() -> None:
    frames = LiveFrames(keep=2)
    assert (len(frames), frames.oldest) == (0, 0)
    frames.append(frame(10))
    assert (len(frames), frames.oldest, value_of(frames[0])) == (1, 0, 10)
    frames.append(frame(11))
    frames.append(frame(12))
    assert (len(frames), frames.oldest) == (3, 1)
    assert [value_of(frames[t]) for t in (1, 2, -1, -2)] == [11, 12, 12, 11]
    assert [value_of(image) for image in frames[1:]] == [11, 12]


@given(keep=st.integers(1, 5), count=st.integers(0, 12))
def test_what_is_kept_is_the_end_of_a_list(keep: int, count: int) -> None:
    whole = [frame(value) for value in range(count)]
    frames = LiveFrames(keep=keep)
    for image in whole:
        frames.append(image)
    assert len(frames) == count
    assert oldest_kept(frames) == max(count - keep, 0)
    for t in range(-count, count):
        if t % max(count, 1) >= count - keep:
            assert frames[t] is whole[t]
        else:
            with pytest.raises(InputError, match="no longer kept"):
                frames[t]
    for t in (count, -count - 1):
        with pytest.raises(IndexError, match=f"{count} have come so far"):
            frames[t]


def test_a_loop_over_forgotten_frames_does_not_end_silently() -> None:
    frames = LiveFrames(keep=1)
    frames.append(frame(0))
    assert len(list(frames)) == 1
    frames.append(frame(1))
    with pytest.raises(InputError, match="frame 0 is no longer kept: of the 2 frames so far"):
        list(frames)


def test_keep_nothing() -> None:
    with pytest.raises(InputError, match="keep is 0; expected at least 1 frame"):
        LiveFrames(keep=0)


def test_a_list_keeps_all() -> None:
    assert oldest_kept([frame(0), frame(1)]) == 0
