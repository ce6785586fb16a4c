"""Frames at several sizes, and what is asked of them there.

Written in few and large operations: on a GPU their number is what flow costs.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def pyramid(image: Float[Tensor, "B 1 h w"], levels: int, least: int) -> list[Tensor]:
    """The image and halves of it, each the mean over the cells of the one before.

    Args:
        image: the finest.
        levels: at most so many.
        least: no side is made shorter than this.
    """
    found = [image]
    while len(found) < levels and min(found[-1].shape[2:]) >= 2 * least:
        height, width = found[-1].shape[2:]
        found.append(F.interpolate(found[-1], ((height + 1) // 2, (width + 1) // 2), mode="area"))
    return found


def derivatives(values: Float[Tensor, "B C h w"]) -> Float[Tensor, "B 2*C h w"]:
    """Central differences, first all in x, then all in y; one-sided halves at the border."""
    padded = F.pad(values, (1, 1, 1, 1), mode="replicate")
    dx = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    dy = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    return torch.cat([dx, dy], dim=1) / 2


@dataclass(frozen=True, slots=True)
class Sampler:
    """Looks images up at `x + flow(x)`: bilinear, the border goes on.

    Attributes:
        places: of the pixels, `(x, y)` in [-1, 1].
        scale: from pixels to these.
    """

    places: Float[Tensor, "h w 2"]
    scale: Float[Tensor, " 2"]

    @classmethod
    def of(cls, image: Float[Tensor, "B C h w"]) -> "Sampler":
        """For images of this size, on its device."""
        height, width = image.shape[2:]
        x, y = (
            (2 * torch.arange(side, dtype=image.dtype, device=image.device) + 1) / side - 1
            for side in (width, height)
        )
        places = torch.stack([x.expand(height, width), y[:, None].expand(height, width)], dim=-1)
        # Computed there: numbers that are sent would be waited for.
        scale = torch.stack([2 / (torch.ones_like(x[0]) * side) for side in (width, height)])
        return cls(places, scale)

    def __call__(self, image: Float[Tensor, "B C h w"], flow: Float[Tensor, "B 2 h w"]) -> Tensor:
        """The image at `x + flow(x)`."""
        grid = torch.addcmul(self.places, flow.permute(0, 2, 3, 1), self.scale)
        return F.grid_sample(image, grid, padding_mode="border", align_corners=False)


def window_means(values: Float[Tensor, "B C h w"], side: int) -> Tensor:
    """Means over the window around each pixel, as far as it is inside the image."""
    rows = F.avg_pool2d(values, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, side // 2), count_include_pad=False)


def neighbours(
    values: Float[Tensor, "B C h w"], steps: tuple[tuple[int, int], ...]
) -> list[Tensor]:
    """`values(x + step)` for every step `(dx, dy)`; the border goes on."""
    height, width = values.shape[2:]
    reach = max(max(abs(dx), abs(dy)) for dx, dy in steps)
    padded = F.pad(values, (reach,) * 4, mode="replicate")
    return [
        padded[..., reach + dy : reach + dy + height, reach + dx : reach + dx + width]
        for dx, dy in steps
    ]


def enlarged(flow: Float[Tensor, "B 2 h w"], size: tuple[int, int]) -> Tensor:
    """Flow on a finer grid, in its pixels."""
    ratio = size[1] / flow.shape[3], size[0] / flow.shape[2]
    resized = F.interpolate(flow, size, mode="bilinear", align_corners=False)
    return torch.cat([resized[:, :1] * ratio[0], resized[:, 1:] * ratio[1]], dim=1)


@dataclass(frozen=True, slots=True)
class Symmetric:
    """A symmetric 2 x 2 matrix at every pixel.

    Attributes:
        diagonal: its two entries.
        other: the entry beside it.
    """

    diagonal: Float[Tensor, "B 2 h w"]
    other: Float[Tensor, "B 1 h w"]

    def __matmul__(self, vectors: Float[Tensor, "B 2 h w"]) -> Float[Tensor, "B 2 h w"]:
        return torch.addcmul(self.diagonal * vectors, self.other, vectors.flip(1))

    def inverse(self) -> "Symmetric":
        """Of a matrix that has one."""
        determinant = self.diagonal[:, :1] * self.diagonal[:, 1:] - self.other**2
        return Symmetric(self.diagonal.flip(1) / determinant, -self.other / determinant)
