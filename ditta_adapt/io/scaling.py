"""Frames scaled down before anything is done with them."""


def scaled_size(size: tuple[int, int], max_side: int) -> tuple[int, int]:
    """Height and width with the longer side at most `max_side`; both even where they change.

    Args:
        size: `(H, W)`.
        max_side: pixels, at least 2.
    """
    longer = max(size)
    if longer <= max_side:
        return size
    height, width = (max(2, 2 * round(side * max_side / longer / 2)) for side in size)
    return height, width
