"""A function of the user's from an image to what the model takes, as preprocessing."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.models.sizes import ANY_SIZE, SizeRule

ImageLike = Callable[[UInt8[Tensor, "3 H W"]], Any]

# Of the width and height, at each border, that may be missing: a cell of a coarser grid.
_BORDER = 0.03


@dataclass(frozen=True, slots=True)
class ImageFunction:
    """Preprocessing by a function of one image, such as transforms of a library.

    Attributes:
        function: gives `(3, H, W)` or `(H, W, 3)`, floating point.
        form: what it takes: `"tensor"`, `(3, H, W)` uint8 RGB; `"array"`, `(H, W, 3)` uint8 RGB;
            `"keyword"`, such an array as `image=`; `"pillow"`.
        sizes: that the model takes; what the function gives is resized to the nearest one.
    """

    function: Callable[..., Any]
    form: str
    sizes: SizeRule = ANY_SIZE

    @classmethod
    def of(cls, function: Callable[..., Any]) -> "ImageFunction":
        """The preprocessing of a function, after a look at what it does to an image.

        Raises:
            InputError: it takes an image in no form, draws random numbers, or cuts or turns the
                image, so that labels would not lie over the frame.
        """
        errors = []
        for form in ("keyword",) if _of_albumentations(function) else _FORMS:
            candidate = cls(function, form)
            try:
                candidate(_ramps())
            # Whatever it raises for what it does not take.
            except Exception as error:
                errors.append(f"{form}: {type(error).__name__}: {error}")
                continue
            candidate._check_geometry()
            return candidate
        raise InputError(
            f"processor takes no image, neither as a tensor nor as an array or of Pillow "
            f"({'; '.join(errors)})."
        )

    def for_sizes(self, sizes: SizeRule) -> "ImageFunction":
        """The same for a model that takes these sizes."""
        return replace(self, sizes=sizes)

    def size_of(self, height: int, width: int) -> tuple[int, int]:
        """The `(H, W)` that a frame of this size is resized to."""
        return tuple(self(torch.zeros((1, 3, height, width), dtype=torch.uint8)).shape[2:])  # type: ignore[return-value]

    def __call__(
        self, frames: UInt8[Tensor, "B 3 H W"], *, scale: float = 1.0
    ) -> Float[Tensor, "B 3 H2 W2"]:
        """Every frame through the function; what it gives is resized, to be seen larger."""
        images = torch.stack([self._one(frame) for frame in frames]).to(frames.device)
        height, width = images.shape[2:]
        size = self.sizes.nearest(round(height * scale), round(width * scale))
        if size == (height, width):
            return images
        return F.interpolate(images, size, mode="bilinear", antialias=True)

    def __str__(self) -> str:
        return f"by the function {getattr(self.function, '__name__', type(self.function).__name__)}"

    def _one(self, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "3 H2 W2"]:
        if self.form == "tensor":
            given = self.function(frame)
        else:
            array = np.ascontiguousarray(frame.permute(1, 2, 0).cpu().numpy())
            if self.form == "keyword":
                given = self.function(image=array)
            else:
                given = self.function(_pillow(array) if self.form == "pillow" else array)
        if isinstance(given, Mapping):
            given = given["image"]
        image = torch.as_tensor(np.asarray(given) if not isinstance(given, Tensor) else given)
        if image.ndim == 3 and image.shape[0] != 3 and image.shape[2] == 3:
            image = image.permute(2, 0, 1)
        if image.ndim != 3 or image.shape[0] != 3 or not image.is_floating_point():
            raise InputError(
                f"processor gave {image.dtype} {tuple(image.shape)}; expected a floating-point "
                "image (3, H, W)."
            )
        return image.float()

    def _check_geometry(self) -> None:
        ramps = _ramps()
        first, second = self(ramps), self(ramps)
        if not torch.equal(first, second):
            raise InputError(
                "processor gives another image each time: it draws random numbers. Give it the "
                "transforms of evaluation, not of training."
            )
        black, white = (self(torch.full_like(ramps, value)) for value in (0, 255))
        share = (first - black) / (white - black)
        # Whichever channel they are in now.
        across = share[0].mean(1)[share[0].mean(1).diff(dim=1).abs().sum(1).argmax()]
        down = share[0].mean(2)[share[0].mean(2).diff(dim=1).abs().sum(1).argmax()]
        for ramp in (across, down):
            whole = bool(torch.isfinite(ramp).all())
            if not whole or abs(float(ramp[0])) > _BORDER or abs(float(ramp[-1]) - 1) > _BORDER:
                raise InputError(
                    "processor cuts the border of the image off, or turns or mirrors it: labels "
                    "would not lie over the frame. Leave that step out."
                )


_FORMS = ("tensor", "array", "pillow")


def _of_albumentations(function: Any) -> bool:
    return any(
        base.__module__.partition(".")[0] == "albumentations" for base in type(function).__mro__
    )


def _pillow(array: np.ndarray) -> Any:
    from PIL import Image

    return Image.fromarray(array)


def _ramps() -> UInt8[Tensor, "1 3 H W"]:
    """Red grows from left to right, green from top to bottom."""
    height, width = 128, 192
    image = torch.full((1, 3, height, width), 128, dtype=torch.uint8, device="cpu")
    image[0, 0] = torch.linspace(0, 255, width, device="cpu").round().to(torch.uint8)
    image[0, 1] = torch.linspace(0, 255, height, device="cpu").round().to(torch.uint8)[:, None]
    return image
