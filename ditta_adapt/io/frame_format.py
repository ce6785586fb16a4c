"""How a caller holds an image, beyond what its type says: the order of channels and the range."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError

Color = Literal["rgb", "bgr"]
"""The order of an array's channels."""

# Half a grey level: what a resize or a division leaves beyond the ends of a range by rounding.
_SLACK = 0.5 / 255


@dataclass(frozen=True, slots=True)
class FrameFormat:
    """What an array or tensor of a caller means.

    Attributes:
        color: order of its channels; OpenCV reads images as `"bgr"`.
        value_range: black and white of floating-point frames, such as `(0, 1)`; without it such
            frames are refused, since a wrong guess would go unnoticed. Frames in uint8 are in 0 to
            255 whatever this is.

    Raises:
        InputError: another colour, or no range of two finite numbers, the smaller first.
    """

    color: Color = "rgb"
    value_range: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.color not in get_args(Color):
            raise InputError(f"color is {self.color!r}; expected 'rgb' or 'bgr'.")
        if self.value_range is not None and not _is_range(self.value_range):
            raise InputError(
                f"value_range is {self.value_range!r}; expected black and white of float frames, "
                "two finite numbers with the smaller first, such as (0, 1)."
            )

    def to_uint8(self, image: np.ndarray | Tensor, name: str) -> np.ndarray | Tensor:
        """An image as uint8: `round(255 (x - black) / (white - black))` of floats.

        Args:
            image: any shape; uint8, or floating point in `value_range`, half a grey level more at
                either end.
            name: how to call it in an error.

        Returns:
            The image itself if it is uint8, else a new one.

        Raises:
            ShapeError: another dtype, floats without a `value_range`, or values outside of it.
        """
        dtype = image.dtype
        if dtype in (np.uint8, torch.uint8):
            return image
        floating = (
            image.is_floating_point() if isinstance(image, Tensor) else image.dtype.kind == "f"
        )
        if not floating:
            raise ShapeError(f"{name} has dtype {dtype}; expected uint8 in 0..255.")
        if self.value_range is None:
            raise ShapeError(
                f"{name} has dtype {dtype}; expected uint8 in 0..255. Float images are taken if "
                "their range is said: wrap(model, value_range=(0, 1))."
            )
        black, white = (float(end) for end in self.value_range)
        if isinstance(image, np.ndarray):
            # In the machine's own byte order, and of no more bits than torch has.
            image = torch.from_numpy(image.astype(np.float64 if dtype.itemsize > 4 else np.float32))
        values = image.detach() if image.dtype == torch.float64 else image.detach().float()
        share = (values - black) / (white - black)
        # Also false for NaN.
        if not bool(((share >= -_SLACK) & (share <= 1 + _SLACK)).all()):
            low, high = float(values.min()), float(values.max())
            raise ShapeError(
                f"{name} has values from {low:g} to {high:g}; expected all of them in its "
                f"value_range, {black:g} to {white:g}. Clip them, or say their range to wrap."
            )
        return (share.clamp(0, 1) * 255).round().to(torch.uint8)


RGB = FrameFormat()
"""Frames as they are: uint8, RGB."""


def _is_range(value: object) -> bool:
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(end, Real) and math.isfinite(end) for end in value)
        and value[0] < value[1]
    )
