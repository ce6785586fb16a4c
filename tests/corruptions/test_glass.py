"""Against SciPy's Gaussian, and against the shuffle written as the loop it stands for."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.glass import gaussian_blur, glass_blur, shuffle_sources

NUMBERS = {"low": (1.0, 2, 3), "med": (1.1, 3, 2), "high": (1.5, 4, 2)}


def scipy_blur(image: np.ndarray, sigma: float) -> np.ndarray:
    ndimage = pytest.importorskip("scipy.ndimage")
    return ndimage.gaussian_filter(image, (sigma, sigma, 0), mode="nearest", truncate=4.0)


def shuffled(image: np.ndarray, offsets: np.ndarray, reach: int) -> np.ndarray:
    image = image.copy()
    height, width = image.shape[:2]
    for y in range(height - reach, reach, -1):
        for x in range(width - reach, reach, -1):
            dy, dx = offsets[y - reach - 1, x - reach - 1]
            image[y, x] = image[y + dy, x + dx]
    return image


def offsets_for(rng: np.random.Generator, height: int, width: int, reach: int) -> np.ndarray:
    size = (max(0, height - 2 * reach), max(0, width - 2 * reach), 2)
    return rng.integers(-reach, reach, size=size)


@settings(max_examples=50)
@given(st.integers(1, 16), st.integers(1, 16), st.integers(1, 4), st.integers(0, 2**32))
def test_shuffle_equals_the_loop(height: int, width: int, reach: int, seed: int) -> None:
    offsets = offsets_for(np.random.default_rng(seed), height, width, reach)
    index = np.arange(height * width)
    by_loop = shuffled(index.reshape(height, width), offsets, reach)
    assert np.array_equal(shuffle_sources(offsets, height, width), by_loop.reshape(-1))


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (0, 0), (0, -1), (1, -2), (-1, 1)])
def test_shuffle_along_long_chains(step: tuple[int, int]) -> None:
    """All pixels read in one direction: a colour is carried on right through the frame."""
    offsets = np.broadcast_to(np.array(step), (26, 36, 2)).copy()
    by_loop = shuffled(np.arange(30 * 40).reshape(30, 40), offsets, 2)
    assert np.array_equal(shuffle_sources(offsets, 30, 40), by_loop.reshape(-1))


def test_shuffle_by_hand() -> None:
    """One row of the visit, right to left over x = 2, 1... with reach 1: x = 4, 3, 2."""
    offsets = np.zeros((1, 3, 2), np.int64)
    offsets[0, :, 1] = [0, -1, -1]  # for x = 2, 3, 4
    # y = 2 is visited: x = 4 takes what is at 3, x = 3 what is at 2, x = 2 stays.
    sources = shuffle_sources(offsets, 3, 5).reshape(3, 5)
    assert sources.tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11, 12, 12, 13]]


@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))),
    st.sampled_from([1.0, 1.1, 1.5]),
)
def test_gaussian_equals_scipy_to_the_last_bit(frame: np.ndarray, sigma: float) -> None:
    image = frame / 255.0
    assert np.array_equal(gaussian_blur(image, sigma), scipy_blur(image, sigma))


@settings(max_examples=15)
@given(
    st.integers(1, 16), st.integers(1, 16), st.integers(0, 2**32), st.sampled_from(list(NUMBERS))
)
def test_glass_blur_equals_its_description(
    height: int, width: int, seed: int, strength: str
) -> None:
    frame = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    sigma, reach, passes = NUMBERS[strength]
    rng = np.random.default_rng([seed, 0])
    image = np.uint8(scipy_blur(frame / 255.0, sigma) * 255)
    for _ in range(passes):
        image = shuffled(image, offsets_for(rng, height, width, reach), reach)
    expected = np.rint(np.clip(scipy_blur(image / 255.0, sigma), 0, 1) * 255)
    (result,) = Corruption("glass_blur", strength).apply([frame], seed=seed)
    assert np.array_equal(np.asarray(result), expected)


def test_a_constant_frame_loses_a_level_at_most() -> None:
    for level in range(0, 256, 5):
        frame = np.full((12, 13, 3), level, np.uint8)
        change = level - glass_blur(frame, 1.0, 2, 3, rng=np.random.default_rng(0)).astype(int)
        assert change.min() >= 0
        assert change.max() <= 1
