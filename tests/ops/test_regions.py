import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt.ops.regions import connected_region


def region(mask: np.ndarray, x: int, y: int) -> np.ndarray:
    return connected_region(torch.from_numpy(mask.astype(bool)), x, y).numpy()


def region_by_opencv(mask: np.ndarray, x: int, y: int) -> np.ndarray:
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return (labels == labels[y, x]) & (labels > 0)


@settings(max_examples=150, deadline=None)
@given(
    mask=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9)),
    data=st.data(),
)
def test_it_equals_opencv(mask: np.ndarray, data: st.DataObject) -> None:
    y = data.draw(st.integers(0, mask.shape[0] - 1))
    x = data.draw(st.integers(0, mask.shape[1] - 1))
    np.testing.assert_array_equal(region(mask, x, y), region_by_opencv(mask, x, y))


@pytest.mark.parametrize("density", [0.3, 0.4, 0.45, 0.6])
def test_it_equals_opencv_on_large_random_masks(density: float) -> None:
    """Near the percolation threshold regions are as crooked as they get."""
    rng = np.random.default_rng(int(100 * density))
    mask = rng.random((120, 150)) < density
    for y, x in rng.integers((0, 0), mask.shape, size=(20, 2)):
        expected = region_by_opencv(mask, x, y)
        np.testing.assert_array_equal(region(mask, int(x), int(y)), expected)


@settings(max_examples=50, deadline=None)
@given(mask=hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=7)), data=st.data())
def test_every_pixel_of_a_region_gives_the_same_region(
    mask: np.ndarray, data: st.DataObject
) -> None:
    mask[0, 0] = True
    whole = region(mask, 0, 0)
    assert (mask | ~whole).all()
    y, x = data.draw(st.sampled_from(np.argwhere(whole).tolist()))
    np.testing.assert_array_equal(region(mask, x, y), whole)


def test_diagonal_neighbours_touch() -> None:
    np.testing.assert_array_equal(region(np.eye(5), 2, 2), np.eye(5))
    np.testing.assert_array_equal(region(np.eye(5)[::-1], 0, 4), np.eye(5)[::-1])


def test_a_gap_of_one_pixel_separates() -> None:
    mask = np.array([[1, 0, 1], [1, 0, 1], [1, 0, 1]])
    np.testing.assert_array_equal(region(mask, 0, 1), mask * [1, 0, 0])
    np.testing.assert_array_equal(region(mask, 2, 1), mask * [0, 0, 1])
    np.testing.assert_array_equal(region(mask.T, 1, 2), mask.T * [[0], [0], [1]])


def test_edges_of_the_image_do_not_wrap() -> None:
    """The last pixel of a row and the first of the next are neighbours in memory only."""
    mask = np.array([[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 1], [1, 0, 0, 0]])
    expected = np.zeros_like(mask)
    expected[2, 3] = 1
    np.testing.assert_array_equal(region(mask, 3, 2), expected)


def test_a_region_may_turn_back() -> None:
    """A spiral: the fill has to go up again after it went down."""
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 0], [1, 0, 1, 1, 1], [1, 0, 0, 0, 1], [1] * 5])
    for y, x in np.argwhere(mask).tolist():
        np.testing.assert_array_equal(region(mask, x, y), mask)


def test_a_seed_that_is_not_set_gives_nothing_and_the_mask_is_not_written_to() -> None:
    mask = torch.tensor([[True, False], [True, True]])
    assert not connected_region(mask, 1, 0).any()
    result = connected_region(mask, 0, 0)
    assert result.dtype == torch.bool
    result.zero_()
    assert mask.tolist() == [[True, False], [True, True]]


def test_x_is_the_column_and_y_the_row() -> None:
    mask = np.zeros((2, 5))
    mask[1, 4] = 1
    np.testing.assert_array_equal(region(mask, 4, 1), mask)


def test_inputs_that_are_not_contiguous() -> None:
    mask = torch.rand(6, 9, generator=torch.Generator().manual_seed(0)) < 0.6
    mask[3, 4] = True
    assert torch.equal(connected_region(mask.T, 3, 4), connected_region(mask, 4, 3).T)


def test_a_whole_large_frame() -> None:
    assert connected_region(torch.ones(1080, 1920, dtype=torch.bool), 960, 540).all()
