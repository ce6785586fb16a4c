import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from ditta_adapt.metrics.contours import contours, dilated

quick = settings(max_examples=25)


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    """A few masks, from sparse to full."""
    shape = draw(st.integers(0, 3)), draw(st.integers(1, 12)), draw(st.integers(1, 12))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    return rng.random(shape) < draw(st.sampled_from([0.0, 0.02, 0.3, 1.0]))


@quick
@given(several=masks())
def test_contours_equal_their_definition(several: np.ndarray) -> None:
    expected = np.zeros_like(several)
    _, height, width = several.shape
    for n, y, x in np.ndindex(several.shape):
        if y < height - 1 and x < width - 1:
            neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
        elif x < width - 1:
            neighbours = [(y, x + 1)]
        elif y < height - 1:
            neighbours = [(y + 1, x)]
        else:
            neighbours = []
        expected[n, y, x] = any(several[n, y, x] != several[n][other] for other in neighbours)
    assert contours(torch.from_numpy(several)).numpy().tolist() == expected.tolist()


@quick
@given(several=masks(), radius=st.integers(0, 9))
def test_dilation_equals_that_of_scipy(several: np.ndarray, radius: int) -> None:
    dy, dx = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    disk = dx**2 + dy**2 <= radius**2
    expected = [ndimage.binary_dilation(mask, disk).tolist() for mask in several]
    assert dilated(torch.from_numpy(several), radius).tolist() == expected


@pytest.mark.parametrize(("radius", "pixels"), [(0, 1), (1, 5), (2, 13), (8, 197)])
def test_a_dilated_point_is_a_disk(radius: int, pixels: int) -> None:
    """Gauss's circle problem."""
    point = torch.zeros(1, 21, 21, dtype=torch.bool)
    point[0, 10, 10] = True
    assert dilated(point, radius).sum() == pixels


def test_a_mask_of_all_pixels_has_no_contour() -> None:
    assert not contours(torch.ones(1, 4, 5, dtype=torch.bool)).any()
