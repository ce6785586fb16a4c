"""Arrays that are not uint8 RGB, and say so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from ditta_adapt import InputError, ShapeError, wrap
from ditta_adapt.io.frame_format import FrameFormat
from ditta_adapt.io.frames import frame_to_tensor, frames_to_tensors
from tests.toys import toy_segmenter, toy_video

UNIT = FrameFormat(value_range=(0, 1))
images = hnp.arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 4), st.just(3)))
ranges = st.sampled_from([(0.0, 1.0), (-1.0, 1.0), (0, 255), (-0.5, 3.25)])


@given(image=images, ends=ranges, dtype=st.sampled_from([np.float16, np.float32, np.float64]))
def test_every_grey_level_comes_back(
    image: np.ndarray, ends: tuple[float, float], dtype: type
) -> None:
    black, white = ends
    floats = (black + image / 255 * (white - black)).astype(dtype)
    layout = FrameFormat(value_range=ends)
    expected = frame_to_tensor(image)
    assert torch.equal(frame_to_tensor(floats, layout=layout), expected)
    assert torch.equal(frame_to_tensor(torch.from_numpy(floats), layout=layout), expected)


def test_floats_are_rounded_to_the_nearest_level() -> None:
    shades = np.array([0.0, 0.499 / 255, 0.501 / 255, 0.5, 254.4 / 255, 1.0])
    frame = np.repeat(shades.reshape(1, -1, 1), 3, axis=2)
    assert frame_to_tensor(frame, layout=UNIT)[0, 0].tolist() == [0, 0, 1, 128, 254, 255]


@given(image=images)
def test_bgr_is_the_channels_turned_round(image: np.ndarray) -> None:
    layout = FrameFormat(color="bgr")
    for frame in (image, torch.from_numpy(image)):
        assert torch.equal(
            frame_to_tensor(frame, layout=layout), frame_to_tensor(image[..., ::-1].copy())
        )


def test_what_says_itself_what_it_holds_is_taken_as_it_is(tmp_path: Path) -> None:
    pixels = toy_video(1, size=(4, 6))[0]
    Image.fromarray(pixels).save(tmp_path / "frame.png")
    layout = FrameFormat(color="bgr", value_range=(0, 1))
    for frame in (Image.fromarray(pixels), tmp_path / "frame.png"):
        assert torch.equal(frame_to_tensor(frame, layout=layout), frame_to_tensor(pixels))
    # So are the values of uint8.
    in_bgr = frame_to_tensor(pixels[..., ::-1].copy(), layout=layout)
    assert torch.equal(in_bgr, frame_to_tensor(pixels))


@pytest.mark.parametrize("beyond", [-0.01, 1.01, 255.0, float("nan"), float("inf")])
def test_values_outside_of_the_range(beyond: float) -> None:
    frame = np.full((2, 2, 3), 0.5)
    frame[1, 0, 2] = beyond
    with pytest.raises(ShapeError, match=r"frame 1 has values from .* value_range, 0 to 1"):
        frames_to_tensors([np.full((2, 2, 3), 0.5), frame], layout=UNIT)


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f2", np.longdouble])
def test_floats_of_any_layout(dtype: str) -> None:
    frame = np.linspace(0, 1, 12).reshape(2, 2, 3)
    expected = frame_to_tensor(frame, layout=UNIT)
    # Half precision rounds where it has less than a grey level.
    found = frame_to_tensor(frame.astype(dtype), layout=UNIT)
    assert int((found.int() - expected.int()).abs().max()) <= (dtype == "<f2")


@pytest.mark.usefixtures("unchecked")
def test_ranges_in_numbers_of_any_library() -> None:
    for ends in ((np.float32(0), np.float32(1)), (np.int64(0), np.int64(1)), [0, 1.0]):
        layout = FrameFormat(value_range=tuple(ends))
        assert torch.equal(
            frame_to_tensor(np.full((1, 1, 3), 0.2), layout=layout), torch.full((3, 1, 1), 51)
        )


def test_what_rounding_leaves_beyond_the_ends() -> None:
    frame = np.array([-1e-6, 1 + 1e-6, 0.5]).reshape(1, 1, 3)
    assert frame_to_tensor(frame, layout=UNIT).flatten().tolist() == [0, 255, 128]


@pytest.mark.parametrize("frame", [np.zeros((2, 2, 3)), torch.zeros(2, 2, 3).half()])
def test_floats_without_a_range_are_refused_with_the_remedy(frame: Any) -> None:
    with pytest.raises(ShapeError, match=r"value_range=\(0, 1\)"):
        frame_to_tensor(frame)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint16, bool, complex])
def test_other_dtypes_are_refused_whatever_is_said(dtype: type) -> None:
    with pytest.raises(ShapeError, match=r"dtype .*; expected uint8 in 0\.\.255"):
        frame_to_tensor(np.zeros((2, 2, 3), dtype), layout=UNIT)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "options",
    [
        {"color": "BGR"},
        {"color": None},
        {"value_range": (1, 0)},
        {"value_range": (0, 0)},
        {"value_range": (0, float("inf"))},
        {"value_range": (0, float("nan"))},
        {"value_range": 255},
        {"value_range": (0, 1, 2)},
        {"value_range": ("0", "1")},
    ],
    ids=str,
)
def test_a_format_that_is_none(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"(color|value_range) is"):
        wrap(toy_segmenter(), **options)


def test_every_door_takes_them() -> None:
    frames = toy_video(5)
    floats = [frame[..., ::-1].astype(np.float32) / 255 for frame in frames]
    plain, told = (
        wrap(toy_segmenter()),
        wrap(toy_segmenter(), color="bgr", value_range=(0, 1)),
    )
    assert plain.adapt(frames[:3]).losses == told.adapt(floats[:3]).losses
    assert torch.equal(plain(frames[3]), told(floats[3]))
    expected, found = plain.predict(frames[4]), told.predict(floats[4])
    assert torch.equal(expected.probabilities, found.probabilities)
    for a, b in zip(
        plain.segment(frames, warmup=2), told.segment(iter(floats), warmup=2), strict=True
    ):
        assert torch.equal(a, b)


def test_a_list_of_paths_is_a_video(tmp_path: Path) -> None:
    frames = toy_video(4)
    paths = [tmp_path / f"{t}.png" for t in range(4)]
    for frame, path in zip(frames, paths, strict=True):
        Image.fromarray(frame).save(path)
    pairs = zip(
        wrap(toy_segmenter()).segment(frames, warmup=2),
        wrap(toy_segmenter()).segment(paths, warmup=2),
        strict=True,
    )
    assert all(torch.equal(a, b) for a, b in pairs)
