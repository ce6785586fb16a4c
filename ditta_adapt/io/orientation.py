"""Frames and images as they are shown: turned and mirrored as their file says."""

import numpy as np
from jaxtyping import Shaped

Orientation = tuple[int, int, int, int]
"""`(a, b, c, d)`: what is stored at `(x, y)` is shown at `x' = a x + c y`, `y' = b x + d y`."""

UPRIGHT: Orientation = (1, 0, 0, 1)
"""As stored."""

# By the orientation tag of EXIF, 1 to 8.
_EXIF: tuple[Orientation, ...] = (
    UPRIGHT,
    (-1, 0, 0, 1),
    (-1, 0, 0, -1),
    (1, 0, 0, -1),
    (0, 1, 1, 0),
    (0, 1, -1, 0),
    (0, -1, -1, 0),
    (0, -1, 1, 0),
)


def exif_orientation(tag: int) -> Orientation:
    """The orientation that a tag of EXIF stands for; upright if it is not in 1..8."""
    return _EXIF[tag - 1] if 1 <= tag <= len(_EXIF) else UPRIGHT


def display_orientation(matrix: bytes) -> Orientation:
    """The orientation in a display matrix of FFmpeg.

    Args:
        matrix: nine int32 in the machine's byte order, of which entries 0, 1, 3 and 4 are `a`, `b`,
            `c` and `d` in 16.16 fixed point.

    Returns:
        Signs alone: a scale is left out, as FFmpeg does when it turns frames. A matrix that is no
        quarter turn, mirrored or not, such as a turn by 30 degrees, counts as upright.
    """
    entries = np.frombuffer(matrix, np.int32, count=5)
    a, b, c, d = (int(sign) for sign in np.sign(entries[[0, 1, 3, 4]]))
    straight, quarter = a * d != 0 and b == c == 0, b * c != 0 and a == d == 0
    return (a, b, c, d) if straight or quarter else UPRIGHT


def swaps_sides(orientation: Orientation) -> bool:
    """Whether height and width are exchanged when it is shown."""
    return orientation[0] == 0


def turned(image: Shaped[np.ndarray, "H W *C"], orientation: Orientation) -> np.ndarray:
    """An image as it is shown.

    Args:
        image: `(H, W, ...)`, as stored; any dtype.
        orientation: entries -1, 0 or 1, of which either `b = c = 0` or `a = d = 0`.

    Returns:
        `(H, W, ...)`, or `(W, H, ...)` for a quarter turn: a view.
    """
    a, b, c, d = orientation
    if swaps_sides(orientation):
        image = image.swapaxes(0, 1)
    return image[:: -1 if b + d < 0 else 1, :: -1 if a + c < 0 else 1]
