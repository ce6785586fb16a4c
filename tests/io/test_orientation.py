import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.io.orientation import (
    UPRIGHT,
    Orientation,
    display_orientation,
    exif_orientation,
    swaps_sides,
    turned,
)

SIGNS = st.sampled_from((-1, 1))
ORIENTATIONS = st.builds(
    lambda swap, x, y: (0, y, x, 0) if swap else (x, 0, 0, y), st.booleans(), SIGNS, SIGNS
)
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 4))


def numbered(height: int, width: int) -> np.ndarray:
    return np.arange(height * width * 2).reshape(height, width, 2)


def matrix(orientation: Orientation) -> np.ndarray:
    """Columns are where the axes x and y go."""
    a, b, c, d = orientation
    return np.array([[a, c], [b, d]])


@given(ORIENTATIONS, SHAPES)
def test_every_pixel_is_where_the_formula_says(
    orientation: Orientation, shape: tuple[int, int]
) -> None:
    image = numbered(*shape)
    shown = turned(image, orientation)
    ys, xs = np.indices(shape).reshape(2, -1)
    new_xs, new_ys = matrix(orientation) @ np.stack([xs, ys])
    # A coordinate that was mirrored begins at 0 again.
    np.testing.assert_array_equal(
        shown[new_ys - new_ys.min(), new_xs - new_xs.min()], image[ys, xs]
    )
    assert shown.size == image.size
    assert swaps_sides(orientation) == (orientation[0] == 0)


@given(ORIENTATIONS, ORIENTATIONS, SHAPES)
def test_one_after_the_other_is_their_product(
    first: Orientation, second: Orientation, shape: tuple[int, int]
) -> None:
    (a, c), (b, d) = (matrix(second) @ matrix(first)).tolist()
    image = numbered(*shape)
    np.testing.assert_array_equal(turned(turned(image, first), second), turned(image, (a, b, c, d)))


@given(ORIENTATIONS, st.floats(2**-10, 8))
def test_a_display_matrix_gives_its_signs(orientation: Orientation, scale: float) -> None:
    a, b, c, d = (round(scale * entry * 65536) for entry in orientation)
    entries = np.array([a, b, 0, c, d, 0, 5 << 16, 0, 1 << 30], np.int32)
    assert display_orientation(entries.tobytes()) == orientation


@pytest.mark.parametrize("degrees", [0.5, 30, 45, 91, 179])
def test_other_angles_leave_a_frame_as_it_is(degrees: float) -> None:
    cos, sin = (65536 * f(np.radians(degrees)) for f in (np.cos, np.sin))
    entries = np.array([cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30]).astype(np.int32)
    assert display_orientation(entries.tobytes()) == UPRIGHT
    assert display_orientation(bytes(36)) == UPRIGHT


@pytest.mark.parametrize("tag", [0, 9, -1, 1])
def test_tags_that_turn_nothing(tag: int) -> None:
    assert exif_orientation(tag) == UPRIGHT
