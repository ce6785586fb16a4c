"""Which frames and objects are drawn."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.teachers.test_time.sequences import draw_sequence


@given(
    length=st.integers(3, 40), count=st.integers(1, 9), jump=st.integers(1, 12), seed=st.integers(0)
)
def test_always_within_a_jump(length: int, count: int, jump: int, seed: int) -> None:
    visible = np.ones((length, count), bool)
    drawn = draw_sequence(np.random.default_rng(seed), visible, jump=jump)
    i, j = drawn.frames
    assert 1 <= i <= jump
    assert 1 <= j - i <= jump
    assert j < length
    assert len(set(drawn.objects)) == min(count, 6)
    assert list(drawn.objects) == sorted(drawn.objects)
    assert all(0 <= each < count for each in drawn.objects)


def test_all_steps_of_a_long_video_are_drawn() -> None:
    random, visible = np.random.default_rng(0), np.ones((100, 1), bool)
    drawn = [draw_sequence(random, visible) for _ in range(600)]
    assert {each.frames[0] for each in drawn} == set(range(1, 11))
    assert {each.frames[1] - each.frames[0] for each in drawn} == set(range(1, 11))


def test_the_shortest_video_has_one_triplet() -> None:
    drawn = draw_sequence(np.random.default_rng(0), np.ones((3, 1), bool))
    assert drawn.frames == (1, 2)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_two_frames_are_refused(length: int) -> None:
    with pytest.raises(InputError, match=f"has {length} frames"):
        draw_sequence(np.random.default_rng(0), np.ones((length, 1), bool))


def test_the_last_frame_shows_every_object() -> None:
    visible = np.ones((30, 2), bool)
    visible[5:15, 1] = False
    random = np.random.default_rng(0)
    ends = {draw_sequence(random, visible).frames[-1] for _ in range(200)}
    assert not ends & set(range(5, 15))
    unchecked = {draw_sequence(random, visible, check=False).frames[-1] for _ in range(200)}
    assert unchecked & set(range(5, 15))


def test_an_object_that_never_comes_back_ends_where_it_began() -> None:
    visible = np.ones((30, 1), bool)
    visible[1:] = False
    drawn = draw_sequence(np.random.default_rng(0), visible)
    assert drawn.frames[-1] == 0
    assert 1 <= drawn.frames[0] <= 10


def test_short_videos_clip_the_first_step_as_the_program_does() -> None:
    random, visible = np.random.default_rng(0), np.ones((12, 1), bool)
    # With jumps of up to ten in twelve frames the first one goes to frame 1 or 2.
    assert {draw_sequence(random, visible).frames[0] for _ in range(200)} == {1, 2}


@given(
    length=st.integers(4, 8), extra=st.integers(0, 30), jump=st.integers(1, 12), seed=st.integers(0)
)
def test_longer_ones_rise_within_a_jump(length: int, extra: int, jump: int, seed: int) -> None:
    visible = np.ones((length + extra, 1), bool)
    drawn = draw_sequence(np.random.default_rng(seed), visible, length=length, jump=jump)
    steps = np.diff([0, *drawn.frames])
    assert len(steps) == length - 1
    assert steps.min() >= 1
    assert steps.max() <= jump
    assert drawn.frames[-1] < length + extra


def test_without_a_jump_any_frames_are_drawn() -> None:
    random, visible = np.random.default_rng(0), np.ones((30, 1), bool)
    drawn = [draw_sequence(random, visible, length=5, jump=None).frames for _ in range(400)]
    assert {frame for frames in drawn for frame in frames} == set(range(1, 30))
    assert all(list(frames) == sorted(set(frames)) for frames in drawn)
    assert max(np.diff([0, *frames]).max() for frames in drawn) > 10


def test_a_video_shorter_than_the_sequence_is_refused() -> None:
    with pytest.raises(InputError, match="has 7 frames; expected at least 8"):
        draw_sequence(np.random.default_rng(0), np.ones((7, 1), bool), length=8)
