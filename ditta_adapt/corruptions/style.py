"""Frames in the style of a picture: by a network of your own, or by plain statistics."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from ditta_adapt.corruptions.quantise import quantise
from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.frames import Frame, frame_to_tensor

Stylise: TypeAlias = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From a frame and a style picture, both `(H, W, 3)` uint8 RGB, to a frame of the same size."""

# Of luma and the two differences of colour, from RGB in [0, 1] (JPEG's, of full range).
_TO_YCC = np.array(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
_DETAIL = 5
"""Side of the mean that a picture's texture is what differs from."""


@dataclass(frozen=True, eq=False)
class Style:
    """Every frame by itself in the style of a picture, as DAVIS-C's four styles are.

    DAVIS-C takes the arbitrary stylisation network of Magenta and four pictures, neither of which
    is part of this library. With them this is its `style1` to `style4`; with `plain_style`, which
    needs no weights, it is something else, and is to be called so.

    Attributes:
        picture: `(h, w, 3)` uint8 RGB of any size.
        stylise: what does it.
        keep_colours: take the brightness of the result only, and the colours of the frame: `low`
            and `med` of DAVIS-C; without, `high`.

    Raises:
        ShapeError: the picture is not `(h, w, 3)` uint8.
        InputError: `stylise` cannot be called.

    Source: Bertrand et al., NeurIPS 2023 (DAVIS-C); Ghiasi et al., "Exploring the structure of a
    real-time, arbitrary neural artistic stylization network", BMVC 2017.
    """

    picture: Frame
    stylise: Stylise
    keep_colours: bool = True

    def __post_init__(self) -> None:
        """Check the picture and the function."""
        frame_to_tensor(self.picture, name="the style picture")
        if not callable(self.stylise):
            raise InputError(
                f"stylise is a {type(self.stylise).__name__}; expected a function from a frame and "
                "a picture to a frame, such as plain_style."
            )

    def apply(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """The video in that style, a frame at a time; the frames given are never written to.

        Each comes back as the kind that was given, an array or a tensor on the same device.

        Raises:
            ShapeError: while iterating: a malformed frame, or what `stylise` returned is of another
                size or type.
        """
        picture = _pixels(self.picture, "the style picture")
        for t, frame in enumerate(frames):
            pixels = _pixels(frame, f"frame {t}")
            found = np.asarray(self.stylise(pixels.copy(), picture.copy()))
            if found.shape != pixels.shape or found.dtype != np.uint8:
                raise ShapeError(
                    f"stylise returned {found.dtype} {found.shape} for frame {t}; expected uint8 "
                    f"{pixels.shape}."
                )
            styled = with_colours_of(pixels, found) if self.keep_colours else found
            if isinstance(frame, Tensor):
                yield torch.from_numpy(styled).to(frame.device)
            else:
                yield styled


def _pixels(image: Frame, name: str) -> UInt8[np.ndarray, "H W 3"]:
    return frame_to_tensor(image, name=name).permute(1, 2, 0).cpu().numpy()


def with_colours_of(
    frame: UInt8[np.ndarray, "H W 3"], styled: UInt8[np.ndarray, "H W 3"]
) -> UInt8[np.ndarray, "H W 3"]:
    """The brightness (luma) of one image with the colour differences of another."""
    own, other = (image / 255.0 @ _TO_YCC.T for image in (frame, styled))
    mixed = np.concatenate([other[..., :1], own[..., 1:]], axis=2)
    return quantise(mixed @ np.linalg.inv(_TO_YCC).T)


def plain_style(
    frame: UInt8[np.ndarray, "H W 3"], picture: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "H W 3"]:
    r"""Mean colours, spread and texture of a picture, without any network.

    .. math:: x' = \frac{x - \mu_x}{\sigma_x} \sigma_s + \mu_s + (s - \bar s)

    by channel, with the picture `s` tiled over the frame and `\bar s` its mean over 5 x 5 pixels.
    It is not the stylisation of DAVIS-C, which moves strokes and edges.

    Args:
        frame: of the video.
        picture: of any size.

    Source: Reinhard et al., "Color Transfer between Images", 2001, for the first part.
    """
    image, style = frame / 255.0, picture / 255.0
    mean, spread = (
        [function(each, axis=(0, 1)) for each in (image, style)] for function in (np.mean, np.std)
    )
    scaled = (image - mean[0]) / np.maximum(spread[0], 1e-6) * spread[1] + mean[1]
    texture = style - _blurred(style)
    height, width = frame.shape[:2]
    repeats = -(-height // style.shape[0]), -(-width // style.shape[1]), 1
    tiled = np.tile(texture, repeats)[:height, :width]
    return quantise(scaled + tiled)


def _blurred(image: Float64[np.ndarray, "h w 3"]) -> Float64[np.ndarray, "h w 3"]:
    """The mean of each pixel's square, mirrored at the border."""
    reach = _DETAIL // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (_DETAIL, _DETAIL), axis=(0, 1))
    blurred: np.ndarray = windows.mean(axis=(3, 4))
    return blurred
