"""Glass blur: pixels trade places with near neighbours, between two Gaussian blurs."""

import numpy as np
from jaxtyping import Float64, Int64, UInt8

from ditta_adapt.corruptions.quantise import quantise


def glass_blur(
    frame: UInt8[np.ndarray, "H W 3"],
    sigma: float,
    reach: int,
    passes: int,
    *,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "H W 3"]:
    """Blur, `passes` times copy a random near neighbour into every pixel, blur again.

    The first blur is cut down to whole grey levels, not rounded, so that even a constant frame
    may lose a level. Takes 0.1 to 0.2 seconds a frame of 480 x 854 on one core.

    Args:
        frame: uint8.
        sigma: standard deviation of both blurs in pixels.
        reach: largest offset of the neighbour in pixels, see `shuffle_sources`.
        passes: how often to shuffle.
        rng: the source of the offsets.

    Returns:
        The blurred frame, uint8 of the same shape.
    """
    image = (gaussian_blur(frame / 255.0, sigma) * 255.0).astype(np.uint8)
    height, width = image.shape[:2]
    rows, columns = max(0, height - 2 * reach), max(0, width - 2 * reach)
    for _ in range(passes):
        offsets = rng.integers(-reach, reach, size=(rows, columns, 2))
        sources = shuffle_sources(offsets, height, width)
        image = image.reshape(-1, 3)[sources].reshape(image.shape)
    return quantise(gaussian_blur(image / 255.0, sigma))


def shuffle_sources(
    offsets: Int64[np.ndarray, "rows columns 2"], height: int, width: int
) -> Int64[np.ndarray, " pixels"]:
    """Where each pixel's colour comes from after one pass of copying neighbours.

    The pass goes from the last row up and in each row from right to left, over the pixels
    `(y, x)` with `reach < y <= height - reach`, likewise for x, and does
    `image[y, x] = image[y + dy, x + dx]` in place: what was copied before is copied on.
    (The program that made DAVIS-C means to swap the two; as it swaps views of one array, both end
    up with the neighbour's colour. This is that behaviour.)

    Going pixel by pixel is slow, but only the order matters: a pixel that reads a neighbour
    visited before it has the neighbour's source, else the neighbour itself is its source. These
    links form a forest, whose roots are found by doubling: following links two at a time, then
    four, until nothing changes, a number of steps logarithmic in the longest chain.

    Args:
        offsets: int64, `(dy, dx)` for the visited pixels, in -reach..reach - 1, indexed by
            `(y - reach - 1, x - reach - 1)`.
        height: of the image; `rows = max(0, height - 2 · reach)`.
        width: of the image, likewise.

    Returns:
        int64: for every pixel in row order, the index of the pixel it takes its colour from.
    """
    rows, columns = offsets.shape[:2]
    count = height * width
    index = np.arange(count).reshape(height, width)
    if rows == 0 or columns == 0:
        return index.reshape(-1)
    top, left = (height - rows) // 2 + 1, (width - columns) // 2 + 1
    visited = np.zeros((height, width), dtype=bool)
    visited[top : top + rows, left : left + columns] = True
    reader = index[visited]
    neighbour = reader + offsets[..., 0].reshape(-1) * width + offsets[..., 1].reshape(-1)
    # The visit runs against row order: a larger index is visited before.
    copied_before = visited.reshape(-1)[neighbour] & (neighbour > reader)
    # Node i < count is pixel i as it was; node count + i is pixel i after its visit.
    link = np.arange(2 * count)
    link[count + reader] = neighbour + np.where(copied_before, count, 0)
    while True:
        further = link[link]
        if np.array_equal(further, link):
            break
        link = further
    after = index.reshape(-1).copy()
    after[reader] = link[count + reader]
    return after


def gaussian_blur(
    image: Float64[np.ndarray, "H W 3"], sigma: float
) -> Float64[np.ndarray, "H W 3"]:
    """Separable Gaussian, cut at four sigma, with the border pixels repeated outwards.

    The sums run in the order of `scipy.ndimage.gaussian_filter`, so that the result is the same
    to the last bit: `glass_blur` cuts it to whole levels, where a last bit can be a level.

    Args:
        image: float64.
        sigma: standard deviation in pixels, more than 0.

    Returns:
        float64 of the same shape.
    """
    radius = int(4.0 * sigma + 0.5)
    kernel = np.exp(-0.5 / (sigma * sigma) * np.arange(-radius, radius + 1) ** 2)
    kernel /= kernel.sum()
    for axis in (0, 1):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (radius, radius)
        padded = np.moveaxis(np.pad(image, padding, mode="edge"), axis, 0)
        size = image.shape[axis]
        total = padded[radius : radius + size] * kernel[radius]
        for away in range(radius, 0, -1):
            before = padded[radius - away : radius - away + size]
            after = padded[radius + away : radius + away + size]
            total += (before + after) * kernel[radius - away]
        image = np.moveaxis(total, 0, axis)
    return image
