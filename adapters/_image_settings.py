"""Preprocessor settings that come with a model: found, and applied in plain torch."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ditta_adapt import InputError, MissingDependencyError

# ImageNet normalisation, the frame's own size; used where a model comes without settings.
DEFAULT_SETTINGS: Mapping[str, Any] = {
    "do_resize": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": (0.485, 0.456, 0.406),
    "image_std": (0.229, 0.224, 0.225),
}


def settings_of(model: Any) -> Mapping[str, Any]:
    """The `preprocessor_config.json` beside a model's weights (a folder, or the local hub cache).

    Empty where the model was not loaded from anywhere, or no settings lie beside the weights.

    Raises:
        MissingDependencyError: transformers is not installed.
    """
    source = getattr(model, "name_or_path", "")
    if not source:
        return {}
    try:
        from transformers.image_processing_base import ImageProcessingMixin
    except ImportError as error:
        raise MissingDependencyError.for_extra("transformers", "hf") from error
    try:
        settings, _ = ImageProcessingMixin.get_image_processor_dict(source, local_files_only=True)
    except (OSError, ValueError):
        # No settings beside the weights: the defaults are what such checkpoints are trained with.
        return {}
    return dict(settings)


def fixed_size(settings: Mapping[str, Any]) -> tuple[int, int]:
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


def target_size(settings: Mapping[str, Any], height: int, width: int) -> tuple[int, int]:
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
        target = (short, long) if height <= width else (long, short)
    else:
        target = fixed_size(settings)
    divisor = settings.get("size_divisor") or 1
    return (
        math.ceil(target[0] / divisor) * divisor,
        math.ceil(target[1] / divisor) * divisor,
    )


def rescale_and_normalise(
    images: Float[Tensor, "B 3 H W"], settings: Mapping[str, Any]
) -> Float[Tensor, "B 3 H W"]:
    """`(x * rescale_factor - image_mean) / image_std`, each part only if settings ask for it."""
    if settings["do_rescale"]:
        images = images * settings["rescale_factor"]
    if settings["do_normalize"]:
        mean, std = (
            images.new_tensor(settings[key]).view(3, 1, 1) for key in ("image_mean", "image_std")
        )
        images = (images - mean) / std
    return images


def rgb_normalisation(
    settings: Any, mean: Sequence[float] | None, std: Sequence[float] | None
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation for RGB frames in 0 to 255.

    Args:
        settings: the `data_preprocessor` of a model of mmsegmentation, if there is one.
        mean: to use instead, RGB in [0, 1] units.
        std: likewise.

    Raises:
        InputError: one of `mean` and `std` without the other.
    """
    if (mean is None) != (std is None):
        raise InputError("mean and std belong together; give both or neither.")
    if mean is None and hasattr(settings, "channel_conversion"):
        if not hasattr(settings, "mean"):
            return [0.0], [1.0]
        # Both are in the order of the model's own channels.
        order = 1 if settings.channel_conversion else -1
        both = [getattr(settings, name).flatten().tolist() for name in ("mean", "std")]
        return both[0][::order], both[1][::order]
    mean, std = mean or DEFAULT_SETTINGS["image_mean"], std or DEFAULT_SETTINGS["image_std"]
    return [255 * value for value in mean], [255 * value for value in std]
