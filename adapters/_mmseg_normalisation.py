"""How models of mmsegmentation normalise images."""

from collections.abc import Sequence
from typing import Any

from ditta_adapt import InputError
from ditta_adapt.models import IMAGENET_MEAN, IMAGENET_STD


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
            return [0.0] * 3, [1.0] * 3
        # Both are in the order of the model's own channels.
        order = 1 if settings.channel_conversion else -1
        both = [getattr(settings, name).flatten().tolist() for name in ("mean", "std")]
        return both[0][::order], both[1][::order]
    return (
        [255 * value for value in mean or IMAGENET_MEAN],
        [255 * value for value in std or IMAGENET_STD],
    )
