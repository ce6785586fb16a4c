import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.demo.scenes import render_video
from ditta_adapt.demo.shift import (
    ShiftParams,
    expose,
    motion_blur,
    sensor_noise,
    shift_frames,
)
from ditta_adapt.errors import InputError, ShapeError

frames_strategy = hnp.arrays(np.uint8, (12, 14, 3))


@pytest.fixture(scope="module")
def clean():
    return render_video(3, 6, (72, 120))[0]


def detail(frames):
    """Mean size of the horizontal second difference: noise raises it and blur lowers it."""
    return np.abs(np.diff(frames.astype(float), n=2, axis=2)).mean()


def test_a_seed_gives_the_same_shift_again_and_other_seeds_give_others(clean):
    before = clean.copy()
    first = shift_frames(clean, seed=1)
    assert np.array_equal(first, shift_frames(clean, seed=1))
    assert not np.array_equal(first, shift_frames(clean, seed=2))
    assert first.dtype == np.uint8
    assert first.shape == clean.shape
    assert np.array_equal(clean, before)


def test_severity_zero_changes_nothing_and_returns_a_copy(clean):
    same = shift_frames(clean, severity=0)
    assert np.array_equal(same, clean)
    assert not np.shares_memory(same, clean)


def test_the_shift_grows_with_severity(clean):
    errors = [
        np.abs(shift_frames(clean, severity=s).astype(float) - clean).mean()
        for s in (0.25, 0.5, 1.0)
    ]
    assert errors[0] > 2
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("part", ["blur", "drift", "flicker", "cast", "shot", "read"])
def test_each_part_grows_with_severity(clean, part):
    alone = ShiftParams(
        **dict.fromkeys(("blur", "drift", "flicker", "cast", "shot", "read"), 0.0)
        | {part: getattr(ShiftParams(), part)}
    )
    weak, strong = (
        np.abs(shift_frames(clean, severity=s, params=alone).astype(float) - clean).mean()
        for s in (0.4, 1.0)
    )
    # A weak blur may be shorter than a pixel of this small video, and then changes nothing.
    assert 0 <= weak < 0.8 * strong


def test_a_frame_does_not_depend_on_the_frames_after_it(clean):
    assert np.array_equal(shift_frames(clean)[:5], shift_frames(clean[:5]))


def test_exposure_flickers_and_noise_is_new_in_every_frame():
    still = np.full((40, 24, 24, 3), 110, np.uint8)
    shifted = shift_frames(still, seed=5).astype(float)
    brightness = shifted.mean((1, 2, 3))
    assert np.abs(np.diff(brightness)).mean() > 2
    assert np.ptp(brightness) > 20
    first, second = (shifted[i] - shifted[i].mean((0, 1)) for i in (0, 1))
    assert first.std() > 5
    assert abs((first * second).mean()) < 0.2 * first.std() * second.std()


def test_each_part_can_be_switched_off(clean):
    off = {"blur": 0.0, "drift": 0.0, "flicker": 0.0, "cast": 0.0, "shot": 0.0, "read": 0.0}
    assert np.array_equal(shift_frames(clean, params=ShiftParams(**off)), clean)
    noisy = shift_frames(clean, params=ShiftParams(**(off | {"read": 10.0})))
    assert detail(noisy) > 1.5 * detail(clean)
    blurred = shift_frames(clean, params=ShiftParams(**(off | {"blur": 6.0})))
    assert detail(blurred) < 0.8 * detail(clean)
    cast = shift_frames(clean, params=ShiftParams(**(off | {"cast": 0.5})))
    assert np.array_equal(cast[..., 1], clean[..., 1])
    assert not np.array_equal(cast[..., 0], clean[..., 0])


@settings(max_examples=60, deadline=None)
@given(frame=frames_strategy, length=st.floats(0, 12), angle=st.floats(-7, 7))
def test_blur_stays_in_range_and_keeps_flat_frames(frame, length, angle):
    blurred = motion_blur(frame, length, angle)
    assert blurred.shape == frame.shape
    assert blurred.min() >= frame.min()
    assert blurred.max() <= frame.max()
    flat = np.full_like(frame, frame[0, 0, 0])
    assert np.array_equal(motion_blur(flat, length, angle), flat)


def test_blur_follows_its_direction_and_does_not_shift():
    dot = np.zeros((31, 31, 3), np.uint8)
    dot[15, 15] = 255
    across, down = motion_blur(dot, 8, 0.0)[..., 0], motion_blur(dot, 8, np.pi / 2)[..., 0]
    assert np.count_nonzero(across.sum(0)) >= 8
    assert np.count_nonzero(across.sum(1)) == 1
    assert np.array_equal(across, down.T)
    rows, columns = np.nonzero(motion_blur(dot, 7, 0.6)[..., 0])
    assert rows.mean() == pytest.approx(15, abs=0.2)
    assert columns.mean() == pytest.approx(15, abs=0.2)


@settings(max_examples=60, deadline=None)
@given(frame=frames_strategy, stops=st.floats(-3, 3), more=st.floats(0.01, 2))
def test_exposure_is_monotonic(frame, stops, more):
    dark, bright = expose(frame, stops), expose(frame, stops + more)
    assert (dark <= bright).all()
    assert np.array_equal(expose(frame, 0.0), frame)
    assert (dark >= frame).all() if stops >= 0 else (dark <= frame).all()


def test_one_stop_doubles_linear_light():
    frame = np.full((2, 2, 3), 100, np.uint8)
    linear = (expose(frame, 1.0) / 255.0) ** 2.2
    assert linear == pytest.approx(2 * (100 / 255) ** 2.2, rel=0.01)


def test_noise_has_the_stated_size():
    rng = np.random.default_rng(0)
    gray = np.full((200, 200, 3), 128, np.uint8)
    assert sensor_noise(gray, 0, 6, rng).std() == pytest.approx(6, rel=0.03)
    expected = np.sqrt(6**2 + 10**2 * 128 / 255)
    assert sensor_noise(gray, 10, 6, rng).std() == pytest.approx(expected, rel=0.03)
    assert sensor_noise(gray, 10, 6, rng).mean() == pytest.approx(128, abs=0.2)
    assert np.array_equal(sensor_noise(gray, 0, 0, rng), gray)


@pytest.mark.usefixtures("unchecked")
def test_bad_arguments_are_refused(clean):
    for frames in (clean[0], clean.astype(np.float32), clean[..., :2]):
        with pytest.raises(ShapeError):
            shift_frames(frames)
    for bad in ({"severity": -0.1}, {"severity": float("nan")}, {"seed": -1}):
        with pytest.raises(InputError):
            shift_frames(clean, **bad)
