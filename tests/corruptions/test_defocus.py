"""Against direct sums in float64."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.corruptions import Corruption
from ditta_adapt.corruptions.defocus import defocus_blur, disk_kernel

RADII = {"low": 6, "med": 8, "high": 10}


def mirrored(image: np.ndarray, margin: int) -> np.ndarray:
    """Mirrored at the border, whose pixels are not repeated; as often as the margin needs."""
    for axis in (0, 1):
        period = max(1, 2 * image.shape[axis] - 2)
        places = np.arange(-margin, image.shape[axis] + margin) % period
        image = np.take(image, np.minimum(places, period - places) % period, axis)
    return image


def correlate(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    margin = kernel.shape[0] // 2
    padded = mirrored(image.astype(float), margin)
    height, width = image.shape[:2]
    return sum(
        kernel[dy, dx] * padded[dy : dy + height, dx : dx + width]
        for dy, dx in np.ndindex(kernel.shape)
    )


def disk(radius: int, sigma: float) -> np.ndarray:
    half, taps = (8, 1) if radius <= 8 else (radius, 2)
    plain = np.array(
        [[float(x * x + y * y <= radius**2) for x in range(-half, half + 1)]
         for y in range(-half, half + 1)]
    )  # fmt: skip
    line = np.exp(-(np.arange(-taps, taps + 1) ** 2) / (2 * sigma**2))
    line /= line.sum()
    return correlate(plain / plain.sum(), np.outer(line, line))


@pytest.mark.parametrize("radius", [1, 3, 6, 8, 9, 10])
@pytest.mark.parametrize("sigma", [0.1, 0.5])
def test_kernel(radius: int, sigma: float) -> None:
    kernel = disk_kernel(radius, sigma)
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel, disk(radius, sigma), atol=1e-7)
    np.testing.assert_allclose(kernel, kernel.T, atol=1e-8)
    np.testing.assert_allclose(kernel, kernel[::-1], atol=1e-9)


def test_kernel_sums() -> None:
    """One where the disk keeps clear of the grid's border, a little more where it touches it."""
    sums = [float(disk_kernel(radius, 0.5).sum()) for radius in RADII.values()]
    assert sums == pytest.approx([1.0, 1.01298, 1.01079], abs=1e-5)


@settings(max_examples=25)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 24), st.integers(1, 24), st.just(3))),
    st.sampled_from(list(RADII)),
)
def test_blur(frame: np.ndarray, strength: str) -> None:
    (result,) = Corruption("defocus_blur", strength).apply([frame])
    exact = np.minimum(correlate(frame, disk(RADII[strength], 0.5)), 255)
    assert np.abs(np.asarray(result) - exact).max() < 0.501


def test_a_point_becomes_a_disk() -> None:
    frame = np.zeros((31, 31, 3), np.uint8)
    frame[15, 15] = 255
    blurred = defocus_blur(frame, 6, 0.5)[..., 0] > 0
    rows, columns = np.nonzero(blurred)
    distance = np.hypot(rows - 15, columns - 15)
    assert distance.max() < 7
    # The disk itself has 113 points; its level is 255 / 113, the softened edge below a half is 0.
    assert blurred.sum() == 113
