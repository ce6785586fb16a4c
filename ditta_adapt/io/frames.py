"""What a frame is, and the check every frame passes at the public border."""

from collections.abc import Iterable
from typing import TypeAlias

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError

Frame: TypeAlias = np.ndarray | Tensor
"""One RGB image, `(H, W, 3)` uint8, as a numpy array or a tensor on any device."""


def frame_to_tensor(frame: Frame, *, name: str = "frame") -> UInt8[Tensor, "3 H W"]:
    """Check one frame and return it channels-first.

    Args:
        frame: `(H, W, 3)` uint8 RGB, `H, W >= 1`.
        name: how to call the frame in an error, such as `"frame 3"`.

    Returns:
        `(3, H, W)` uint8 on the frame's own device: a copy, since a decoder or a camera may reuse
        its buffer for the next frame.

    Raises:
        ShapeError: not an array, wrong number of axes, channels first, or not uint8.
    """
    if isinstance(frame, np.ndarray):
        shape, dtype, is_uint8 = frame.shape, str(frame.dtype), frame.dtype == np.uint8
    elif isinstance(frame, Tensor):
        shape, dtype, is_uint8 = tuple(frame.shape), str(frame.dtype), frame.dtype == torch.uint8
    else:
        raise ShapeError(
            f"{name} is a {type(frame).__name__}; expected a numpy array or a torch tensor of "
            "shape (H, W, 3), uint8, RGB. Convert a PIL image with numpy.asarray(image)."
        )
    if len(shape) != 3 or shape[2] != 3:
        raise ShapeError(
            f"{name} has shape {shape}; expected (H, W, 3), channels last. {_shape_hint(shape)}"
        )
    if 0 in shape:
        raise ShapeError(f"{name} has shape {shape}; a frame needs at least one pixel.")
    if not is_uint8:
        raise ShapeError(
            f"{name} has dtype {dtype}; expected uint8 in 0..255. A float image in [0, 1] becomes "
            "one with (image * 255).round() and a cast to uint8."
        )
    if isinstance(frame, np.ndarray):
        # Copied by numpy: torch warns about arrays that are read-only or have negative strides.
        copied = torch.from_numpy(np.array(frame, order="C", copy=True))
    else:
        copied = frame.clone()
    return copied.permute(2, 0, 1)


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


def frames_to_tensors(frames: Iterable[Frame]) -> list[UInt8[Tensor, "3 H W"]]:
    """Check a whole warm-up: at least one frame, all of one size.

    Raises:
        InputError: no frame at all, or `frames` is not iterable.
        ShapeError: a frame is malformed, or differs in size from the first (named by index).
    """
    scalar = getattr(frames, "ndim", 1) == 0
    if scalar or not isinstance(frames, Iterable):
        raise InputError(
            f"frames is a {type(frames).__name__}; expected a sequence of (H, W, 3) uint8 frames."
        )
    tensors: list[Tensor] = []
    for index, frame in enumerate(frames):
        tensor = frame_to_tensor(frame, name=f"frame {index}")
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
