"""Against the standard library's `colorsys`, pixel by pixel."""

import colorsys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.colour import brightness, contrast, saturate

frames = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 5), st.just(3))
) | hnp.arrays(np.uint8, (3, 3, 1)).map(lambda grey: np.repeat(grey, 3, axis=2))


def in_hsv(frame: np.ndarray, change) -> np.ndarray:
    """Change (h, s, v) of each pixel; blue is the first channel, as in the original program."""
    result = np.empty(frame.shape)
    for place in np.ndindex(frame.shape[:2]):
        red, green, blue = (frame[place] / 255).tolist()
        hsv = change(*colorsys.rgb_to_hsv(blue, green, red))
        result[place] = colorsys.hsv_to_rgb(*hsv)[::-1]
    return result * 255


def assert_rounded(result: np.ndarray, exact: np.ndarray) -> None:
    assert result.dtype == np.uint8
    assert np.abs(result - exact).max() <= 0.5 + 1e-9


def clip(x: float) -> float:
    return min(max(x, 0.0), 1.0)


@settings(max_examples=40)
@given(frames, st.floats(0, 1))
def test_brightness_adds_to_the_value(frame: np.ndarray, offset: float) -> None:
    exact = in_hsv(frame, lambda h, s, v: (h, s, clip(v + offset)))
    assert_rounded(brightness(frame, offset), exact)


@settings(max_examples=40)
@given(frames, st.floats(0, 20), st.floats(0, 1))
def test_saturate_scales_the_saturation(frame: np.ndarray, factor: float, offset: float) -> None:
    exact = in_hsv(frame, lambda h, s, v: (h, clip(factor * s + offset), v))
    assert_rounded(saturate(frame, factor, offset), exact)


@settings(max_examples=40)
@given(frames, st.floats(0, 1))
def test_contrast_moves_towards_the_mean(frame: np.ndarray, factor: float) -> None:
    mean = [float(np.mean(frame[..., c].tolist())) for c in range(3)]
    exact = np.array([[[mean[c] + factor * (int(p[c]) - mean[c]) for c in range(3)] for p in row]
                      for row in frame])  # fmt: skip
    assert_rounded(contrast(frame, factor), exact)


@settings(max_examples=40)
@given(frames)
def test_neutral_numbers_change_nothing(frame: np.ndarray) -> None:
    assert np.array_equal(brightness(frame, 0.0), frame)
    assert np.array_equal(saturate(frame, 1.0, 0.0), frame)
    assert np.array_equal(contrast(frame, 1.0), frame)


def pixel(*levels: int) -> np.ndarray:
    return np.array([[levels]], np.uint8)


def corrupted(name: str, strength: str, frame: np.ndarray) -> list:
    (result,) = Corruption(name, strength).apply([frame])
    return np.asarray(result).tolist()


def test_brightness_by_hand() -> None:
    # 127.5 would be 0.5; 0.5 + 0.3 = 0.8 = 204 / 255.
    assert corrupted("brightness", "low", pixel(127, 127, 127)) == [[[204] * 3]]  # 203.5, to even
    assert corrupted("brightness", "med", pixel(0, 0, 0)) == [[[102] * 3]]
    assert corrupted("brightness", "med", pixel(51, 0, 102)) == [[[102, 0, 204]]]
    assert corrupted("brightness", "high", pixel(200, 100, 200)) == [[[255, 128, 255]]]  # 127.5


def test_contrast_by_hand() -> None:
    black_and_white = np.array([[[0] * 3, [255] * 3]], np.uint8)
    for strength, share in [("low", 0.2), ("med", 0.1), ("high", 0.05)]:
        ends = [127.5 * (1 - share), 127.5 * (1 + share)]
        assert corrupted("contrast", strength, black_and_white) == [[[round(e)] * 3 for e in ends]]
    constant = np.full((3, 4, 3), (9, 80, 250), np.uint8)
    assert corrupted("contrast", "high", constant) == constant.tolist()


def test_saturate_by_hand() -> None:
    # V = 200, S = (200 - 150) / 200 = 0.25.
    colour = pixel(200, 150, 175)
    assert corrupted("saturate", "low", colour) == [[[200, 100, 150]]]  # S = 0.5
    assert corrupted("saturate", "med", colour) == [[[200, 0, 100]]]  # S = min(1.35, 1)
    # Grey has no hue: it is left alone without an offset, and keeps its blue with one.
    for level in (0, 5, 100, 255):
        assert corrupted("saturate", "low", pixel(*[level] * 3)) == [[[level] * 3]]
    assert corrupted("saturate", "med", pixel(100, 100, 100)) == [[[90, 90, 100]]]
    assert corrupted("saturate", "high", pixel(100, 100, 100)) == [[[80, 80, 100]]]
    assert corrupted("saturate", "high", pixel(0, 0, 0)) == [[[0, 0, 0]]]


@pytest.mark.parametrize("name", ["brightness", "contrast"])
def test_the_order_of_channels_does_not_matter(name: str) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    (plain,) = Corruption(name, "low").apply([frame])
    (turned,) = Corruption(name, "low").apply([frame[..., [2, 0, 1]]])
    assert np.array_equal(np.asarray(plain)[..., [2, 0, 1]], np.asarray(turned))
