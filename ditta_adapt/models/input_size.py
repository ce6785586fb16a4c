"""The size that the settings of an image processor of transformers ask for."""

import math
from collections.abc import Mapping
from typing import Any

from ditta_adapt.errors import InputError


def fixed_input_size(settings: Mapping[str, Any]) -> tuple[int, int]:
    """The `(H, W)` all images are resized to.

    Raises:
        InputError: `size` is neither an int (a square) nor a mapping with height and width.
    """
    size = settings.get("size")
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) and {"height", "width"} <= set(size):
        return int(size["height"]), int(size["width"])
    raise InputError(
        f"settings ask to resize to size = {size!r}; expected an int or a mapping with height and "
        "width, or do_resize = False."
    )


def input_size(settings: Mapping[str, Any], height: int, width: int) -> tuple[int, int]:
    """The `(H, W)` an image of this size is resized to, fixed or with its proportions kept.

    With `size["shortest_edge"]` the shorter side gets that many pixels, fewer where the longer
    would exceed `size["longest_edge"]`. With `keep_aspect_ratio` a height and width are what is
    aimed at, and one of them is met. Then both are rounded to `ensure_multiple_of`, and up to
    `size_divisor`.

    Raises:
        InputError: `size` is neither of the two.
    """
    size, resized = settings.get("size"), (0.0, 0.0)
    # Settings of old: a square, but for those that have a limit or a divisor.
    if isinstance(size, int) and ("max_size" in settings or settings.get("size_divisor")):
        size = {"shortest_edge": size, "longest_edge": settings.get("max_size")}
    if isinstance(size, Mapping) and "shortest_edge" in size:
        short, long = sorted((height, width))
        edge, limit = size["shortest_edge"], size.get("longest_edge")
        if limit is not None and long / short * edge > limit:
            edge = limit * short / long
        if round(edge) != short:
            short, long = round(edge), int(edge * long / short)
        resized = (short, long) if height <= width else (long, short)
    else:
        resized = fixed_input_size(settings)
        if settings.get("keep_aspect_ratio"):
            # Scaled by the one of the two factors that changes the image less.
            scales = resized[0] / height, resized[1] / width
            scale = min(scales, key=lambda each: abs(1 - each))
            resized = scale * height, scale * width
    multiple = settings.get("ensure_multiple_of") or 1
    divisor = settings.get("size_divisor") or 1
    return (
        math.ceil(round(resized[0] / multiple) * multiple / divisor) * divisor,
        math.ceil(round(resized[1] / multiple) * multiple / divisor) * divisor,
    )
