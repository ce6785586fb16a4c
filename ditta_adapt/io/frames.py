"""What a frame is, and the check every frame passes at the public border."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.frame_format import RGB, FrameFormat
from ditta_adapt.io.images import image_to_array, read_frame

if TYPE_CHECKING:
    import PIL.Image

Frame: TypeAlias = np.ndarray | Tensor
"""One RGB image, `(H, W, 3)` uint8, as a numpy array or a tensor on any device."""

FrameLike: TypeAlias = Union[np.ndarray, Tensor, str, os.PathLike[str], "PIL.Image.Image"]
"""What a frame is made from: a `Frame`, the path of an image file, or an image of Pillow.

Arrays and tensors may have floating point or BGR order where a `FrameFormat` says so.
"""


def frame_to_tensor(
    frame: FrameLike, *, name: str = "frame", layout: FrameFormat = RGB
) -> UInt8[Tensor, "3 H W"]:
    """Check one frame and return it channels-first.

    Args:
        frame: `(H, W, 3)` array or tensor of that layout, `H, W >= 1`; or an image file or an
            image of Pillow, which say themselves what they hold, and are turned by their EXIF data.
        name: how to call the frame in an error, such as `"frame 3"`.
        layout: order of channels and range of an array.

    Returns:
        `(3, H, W)` uint8 on the frame's own device: a copy, since a decoder or a camera may reuse
        its buffer for the next frame.

    Raises:
        ShapeError: not an image, wrong number of axes, channels first, another dtype, or values
            outside of the range.
        InputError: an image file that cannot be read.
        MissingDependencyError: Pillow is not installed, and the frame is a file.
    """
    if isinstance(frame, str | os.PathLike):
        frame, layout = read_frame(os.fspath(frame)), RGB
    elif _is_pillow_image(frame):
        frame, layout = image_to_array(frame), RGB
    if not isinstance(frame, np.ndarray | Tensor):
        raise ShapeError(
            f"{name} is a {type(frame).__name__}; expected a numpy array or a torch tensor of "
            "shape (H, W, 3), uint8, RGB; the path of an image file; or an image of Pillow."
        )
    shape = tuple(frame.shape)
    if len(shape) != 3 or shape[2] != 3:
        raise ShapeError(
            f"{name} has shape {shape}; expected (H, W, 3), channels last. {_shape_hint(shape)}"
        )
    if 0 in shape:
        raise ShapeError(f"{name} has shape {shape}; a frame needs at least one pixel.")
    if isinstance(frame, Tensor) and (frame.is_meta or frame.layout != torch.strided):
        kind = "on the meta device, without values" if frame.is_meta else str(frame.layout)
        raise ShapeError(f"{name} is a tensor {kind}; expected a dense one with values.")
    image = layout.to_uint8(frame, name)
    if isinstance(image, np.ndarray):
        # Copied by numpy: torch warns about arrays that are read-only or have negative strides.
        copied = torch.from_numpy(np.array(image, order="C", copy=True))
    else:
        copied = image.clone() if image is frame else image
    tensor = copied.permute(2, 0, 1)
    return tensor.flip(0) if layout.color == "bgr" else tensor


def frame_size(frame: UInt8[Tensor, "3 H W"]) -> tuple[int, int]:
    """`(H, W)` of a frame as `frame_to_tensor` returns it."""
    return frame.shape[1], frame.shape[2]


def check_stream_size(frame: UInt8[Tensor, "3 H W"], size: tuple[int, int] | None) -> None:
    """Check that the next frame of a stream has the size of those before it.

    Args:
        frame: the next one.
        size: `(H, W)` of the frames before; none at the beginning.

    Raises:
        ShapeError: it has not.
    """
    if size is not None and frame_size(frame) != size:
        raise ShapeError(
            f"frame is {frame_size(frame)} (H, W) but the stream so far was {size}. Resize the "
            "frame, or call clear_memory() before a stream of another size, or reset() before "
            "another video."
        )


def _is_pillow_image(candidate: object) -> bool:
    """Whether it is one, found without importing Pillow: who holds one has imported it."""
    kinds = type(candidate).__mro__
    return any(kind.__module__ == "PIL.Image" and kind.__name__ == "Image" for kind in kinds)


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] == 3:
        return "It looks channels-first: use frame.transpose(1, 2, 0)."
    if len(shape) == 3 and shape[2] == 4:
        return "It has an alpha channel: use frame[..., :3]."
    if len(shape) == 4:
        return "It has four axes: pass one frame at a time, without a batch axis."
    if len(shape) == 2 and shape[1] == 3:
        return "If you passed one frame where a sequence of frames is expected: use [frame]."
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 1):
        return "It is grey: repeat it three times along the last axis."
    return "Pass RGB images."


def check_iterable(frames: object) -> None:
    """Refuse what frames cannot be taken from one by one.

    Raises:
        InputError: not iterable; or one path, whose letters are no frames.
    """
    if isinstance(frames, str | os.PathLike):
        raise InputError(
            f"frames is the one path {os.fspath(frames)!r}; expected frames. Of a video file they "
            "are ditta_adapt.io.read_video(path); images are a list of their paths."
        )
    # A tensor or array without axes has the method and no items.
    if getattr(frames, "ndim", 1) == 0 or not isinstance(frames, Iterable):
        raise InputError(
            f"frames is a {type(frames).__name__}; expected a sequence of (H, W, 3) uint8 frames."
        )


def frames_to_tensors(
    frames: Iterable[FrameLike], *, layout: FrameFormat = RGB
) -> list[UInt8[Tensor, "3 H W"]]:
    """Check a whole warm-up: at least one frame, all of one size.

    Args:
        frames: see `frame_to_tensor`.
        layout: of all of them.

    Raises:
        InputError: no frame at all, or `frames` is not a sequence of frames but one path.
        ShapeError: a frame is malformed, or differs in size from the first (named by index).
    """
    check_iterable(frames)
    tensors: list[Tensor] = []
    for index, frame in enumerate(frames):
        tensor = frame_to_tensor(frame, name=f"frame {index}", layout=layout)
        if tensors and tensor.shape != tensors[0].shape:
            raise ShapeError(
                f"frame {index} is {tuple(tensor.shape[1:])} (H, W) but frame 0 is "
                f"{tuple(tensors[0].shape[1:])}; all frames of a video must have one size. "
                "Resize them, or treat the parts as separate videos."
            )
        tensors.append(tensor)
    if not tensors:
        raise InputError("no frames: adaptation needs at least one frame of the video.")
    return tensors
