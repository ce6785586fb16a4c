"""What image models want of an image before they see it: its size, scale and normalisation.

Settings are those of a `preprocessor_config.json` of transformers, as a mapping.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of ImageNet's pixels, RGB in [0, 1]; most image models are trained with it."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of ImageNet's pixels, RGB in [0, 1]."""

DEFAULT_SETTINGS: Mapping[str, Any] = {
    "do_resize": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": IMAGENET_MEAN,
    "image_std": IMAGENET_STD,
}
"""For a model that comes without settings: ImageNet normalisation, the frame's own size."""


def normalise(
    images: Float[Tensor, "*B 3 H W"],
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> Float[Tensor, "*B 3 H W"]:
    """`(images - mean) / std` by channel, in the units of the images.

    Args:
        images: RGB; in [0, 1] for the defaults.
        mean: three numbers, in the same units.
        std: likewise.
    """
    centre, scale = (images.new_tensor(values).view(3, 1, 1) for values in (mean, std))
    return (images - centre) / scale


def rescale_and_normalise(
    images: Float[Tensor, "B 3 H W"], settings: Mapping[str, Any]
) -> Float[Tensor, "B 3 H W"]:
    """`(x * rescale_factor - image_mean) / image_std`, each part only if settings ask for it.

    Args:
        images: RGB in 0 to 255.
        settings: all of the keys of `DEFAULT_SETTINGS`.
    """
    if settings["do_rescale"]:
        images = images * settings["rescale_factor"]
    if settings["do_normalize"]:
        images = normalise(images, settings["image_mean"], settings["image_std"])
    return images


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
    would exceed `size["longest_edge"]`. Either way both are rounded up to `size_divisor`.

    Raises:
        InputError: `size` is neither of the two.
    """
    size = settings.get("size")
    if isinstance(size, int):
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
    divisor = settings.get("size_divisor") or 1
    return (
        math.ceil(resized[0] / divisor) * divisor,
        math.ceil(resized[1] / divisor) * divisor,
    )
