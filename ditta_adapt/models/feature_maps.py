"""Feature maps in the layouts that layers use: channels first, channels last, tokens."""

from collections.abc import Sequence

from torch import Tensor

# Such as one for the class of the image, and registers.
_EXTRA_TOKENS = 8


def as_map(tensor: Tensor, grid: Sequence[int], *, channels_last: bool = False) -> Tensor | None:
    """Features as `(B, D, h, w)`: as they are, or channels last, or tokens of a grid.

    Args:
        tensor: `(B, D, h, w)`, `(B, h, w, D)` or `(B, h w, D)`, the last perhaps with up to eight
            further tokens before.
        grid: `(H, W)` with the proportions of the image. Tokens are on it, or on one that is a
            whole number of times coarser. A map of an image that the model padded, at the right
            and at the bottom, is cropped.
        channels_last: which of the two a tensor of four axes is.

    Returns:
        The map; none where it is no map over the image.
    """
    if not tensor.is_floating_point():
        return None
    if tensor.ndim == 4:
        tensor = tensor.permute(0, 3, 1, 2) if channels_last else tensor
        return tensor if same_proportions(tensor.shape[2:], grid) else _uncovered(tensor, grid)
    if tensor.ndim == 3:
        for height, width in _coarser(grid):
            extra = tensor.shape[1] - height * width
            if 0 <= extra <= _EXTRA_TOKENS:
                batch, _, channels = tensor.shape
                pixels = tensor[:, extra:].transpose(1, 2)
                return pixels.reshape(batch, channels, height, width)
    return None


def same_proportions(grid: Sequence[int], image: Sequence[int]) -> bool:
    """Whether a grid `(h, w)` of at least two cells lies over an image `(H, W)`.

    A side may be rounded either way, and have a cell more for a border.
    """
    (h, w), (height, width) = grid, image
    return min(h, w) > 0 and h * w > 1 and abs(h * width - w * height) <= 1.25 * max(height, width)


def _uncovered(tensor: Tensor, grid: Sequence[int]) -> Tensor | None:
    """The part of a map of a padded image that lies over the image, if that is most of it."""
    height, width = tensor.shape[2:]
    stride = max(-(-grid[0] // height), -(-grid[1] // width))
    inside = -(-grid[0] // stride), -(-grid[1] // stride)
    if 2 * inside[0] <= height or 2 * inside[1] <= width:
        return None
    return tensor[:, :, : inside[0], : inside[1]]


def _coarser(grid: Sequence[int]) -> list[tuple[int, int]]:
    """A grid, and those that are a whole number of times coarser, finest first."""
    height, width = grid
    return [
        (height // factor, width // factor)
        for factor in range(1, min(grid) + 1)
        if height % factor == 0 and width % factor == 0 and height * width > factor**2
    ]
