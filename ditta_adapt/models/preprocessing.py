"""What image models want of an image before they see it: its size, scale and normalisation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.models.input_size import input_size
from ditta_adapt.models.sizes import ANY_SIZE, SizeRule

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

# As Pillow numbers them; its other filters have no counterpart in torch.
_FILTERS = {0: "nearest-exact", 2: "bilinear", 3: "bicubic"}


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """From frames to what a model takes, by the settings of a `preprocessor_config.json`.

    Read are `do_resize`, `size`, `size_divisor`, `keep_aspect_ratio`, `ensure_multiple_of` and
    `resample`, `do_rescale` and `rescale_factor`, `do_normalize`, `image_mean` and `image_std`,
    `do_flip_channel_order`. What is missing is as in `DEFAULT_SETTINGS`. Not done are what would
    take the frame's border away (`do_center_crop`) and padding (`do_pad`). With `resample` frames
    are resized to whole grey levels, as image processors do; without it, bilinearly.

    Attributes:
        settings: the settings.
        source: where they are from, in plain words.
        sizes: that the model takes; frames are resized to the nearest one.

    Raises:
        InputError: `size`, `resample`, mean or standard deviation are unusable.
    """

    settings: Mapping[str, Any]
    source: str
    sizes: SizeRule = ANY_SIZE

    def __post_init__(self) -> None:
        object.__setattr__(self, "settings", {**DEFAULT_SETTINGS, **self.settings})
        if self.settings["do_resize"]:
            input_size(self.settings, 1, 1)
            if _filter_of(self.settings) is None:
                raise InputError(
                    f"settings ask to resize with resample = {self.settings['resample']!r}; "
                    f"expected one of Pillow's {sorted(_FILTERS)} (nearest, bilinear, bicubic)."
                )
        for name in ("image_mean", "image_std"):
            values = self.settings[name]
            if self.settings["do_normalize"] and not _are_three_numbers(values):
                raise InputError(f"settings have {name} = {values!r}; expected three numbers.")

    def for_sizes(self, sizes: SizeRule) -> "Preprocessing":
        """The same for a model that takes these sizes."""
        return replace(self, sizes=sizes)

    def size_of(self, height: int, width: int, *, scale: float = 1.0) -> tuple[int, int]:
        """The `(H, W)` that a frame of this size is resized to, to be seen `scale` times as large.

        A model of one fixed size is always shown that.
        """
        if self.settings["do_resize"]:
            height, width = input_size(self.settings, height, width)
        return self.sizes.nearest(round(height * scale), round(width * scale))

    def __call__(
        self, frames: UInt8[Tensor, "B 3 H W"], *, scale: float = 1.0
    ) -> Float[Tensor, "B 3 H2 W2"]:
        """Resize, rescale, normalise, and swap channels for a model that takes BGR."""
        size = self.size_of(frames.shape[2], frames.shape[3], scale=scale)
        if self.settings.get("resample") is None:
            images = frames.float()
            if size != tuple(frames.shape[2:]):
                images = F.interpolate(images, size, mode="bilinear", antialias=True)
        else:
            mode, exactly = _filter_of(self.settings), "resize_in_float" in self.settings
            images = resize_frames(frames, size, mode or "", in_float=exactly).float()
        images = rescale_and_normalise(images, self.settings)
        return images.flip(1) if self.settings.get("do_flip_channel_order") else images

    def __str__(self) -> str:
        cropped = self.settings.get("do_center_crop")
        return f"{self.source}, without its centre crop" if cropped else self.source


def resize_frames(
    frames: UInt8[Tensor, "B 3 H W"], size: tuple[int, int], mode: str, *, in_float: bool = False
) -> UInt8[Tensor, "B 3 H2 W2"]:
    """Frames of another size, anti-aliased and rounded to whole levels.

    Args:
        frames: RGB.
        size: `(H, W)`.
        mode: `"bilinear"`, `"bicubic"` or `"nearest-exact"`.
        in_float: whether only the result is rounded, as torchvision's older transforms do; else
            torch's own kernel for uint8 is taken where there is one, as its newer ones do.
    """
    if size == tuple(frames.shape[2:]):
        return frames
    if mode == "nearest-exact":
        return F.interpolate(frames, size, mode=mode)
    if frames.device.type == "cpu" and not in_float:
        return F.interpolate(frames, size, mode=mode, antialias=True)
    resized = F.interpolate(frames.float(), size, mode=mode, antialias=True)
    return resized.clamp(0, 255).round().to(torch.uint8)


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
    centre, scale = (
        _by_channel(tuple(map(float, values)), images.dtype, images.device)
        for values in (mean, std)
    )
    return (images - centre) / scale


@cache
def _by_channel(
    values: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Float[Tensor, "3 1 1"]:
    """Numbers on a device. Kept, since it would be waited for with every frame."""
    with torch.inference_mode(False):
        return torch.tensor(values, dtype=dtype, device=device).view(3, 1, 1)


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


def _filter_of(settings: Mapping[str, Any]) -> str | None:
    resample = settings.get("resample")
    return "bilinear" if resample is None else _FILTERS.get(resample)


def _are_three_numbers(values: Any) -> bool:
    try:
        return len([float(value) for value in values]) == 3
    except (TypeError, ValueError):
        return False
