"""Objects of a video, followed by a propagator from the frames in which they begin."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frame_size, frame_to_tensor
from ditta_adapt.teachers.checked_calls import check_masks, open_session, propagator_errors
from ditta_adapt.teachers.propagator import Masks, Prompt, Propagator


def follow_objects(
    propagator: Propagator,
    frames: Sequence[Frame],
    begins: Mapping[int, Mapping[int, Tensor | np.ndarray]],
) -> Iterator[Int64[Tensor, "H W"]]:
    """The id of the object at each pixel, frame by frame; 0 where there is none.

    Where a mask is given it holds, as it is: in its frame, the object has these pixels. Where
    masks of a propagator overlap, the object that began last has the pixel.

    Args:
        propagator: that finds the objects in all frames after.
        frames: of the video.
        begins: by frame, the new objects there: masks `(H, W)` bool by id, 1 or more. Frames before
            the first one have no object.

    Raises:
        InputError: no frames, no such frame, an id twice or below 1, an empty mask, or one that is
            not bool and of the frame's size.
        PropagationError: while iterating: the propagator raised, or broke its contract.
    """
    if not len(frames):
        raise InputError("no frames: there is nothing to follow objects in.")
    size = frame_size(frame_to_tensor(frames[0], name="frame 0"))
    return _followed(propagator, frames, _checked(begins, len(frames), size), size)


def _followed(
    propagator: Propagator,
    frames: Sequence[Frame],
    begins: Mapping[int, Mapping[int, Tensor]],
    size: tuple[int, int],
) -> Iterator[Int64[Tensor, "H W"]]:
    ids: list[int] = []
    nothing = torch.zeros(0, *size, dtype=torch.bool, device="cpu")
    with open_session(propagator, frames) as session:
        for t in range(len(frames)):
            given = begins.get(t, {})
            found = Masks(torch.zeros(0, dtype=torch.int64, device="cpu"), nothing)
            with propagator_errors(f"frame {t}"):
                if ids:
                    found = session.propagate(t - 1, t)
                if given:
                    prompts = [Prompt.on(mask, number) for number, mask in given.items()]
                    found = session.prompt(t, prompts)
            ids += given
            check_masks(found, ids, size, f"frame {t}")
            yield _painted(found, given, size)


def _painted(
    masks: Masks, given: Mapping[int, Tensor], size: tuple[int, int]
) -> Int64[Tensor, "H W"]:
    found = torch.zeros(size, dtype=torch.int64, device="cpu")
    for number, mask in zip(masks.object_ids.tolist(), masks.masks, strict=True):
        found[mask.cpu()] = number
    for number, mask in given.items():
        found[mask] = number
    return found


def _checked(
    begins: Mapping[int, Mapping[int, Tensor | np.ndarray]], count: int, size: tuple[int, int]
) -> dict[int, dict[int, Tensor]]:
    """The masks as tensors on the CPU."""
    ids = [number for given in begins.values() for number in given]
    wrong = [t for t in begins if not 0 <= t < count]
    if wrong or len(set(ids)) < len(ids) or any(number < 1 for number in ids):
        raise InputError(
            f"objects {ids} begin in the frames {list(begins)} of a video of {count}; expected ids "
            "of at least 1, each once, and frames that are there."
        )
    checked: dict[int, dict[int, Tensor]] = {}
    for t, given in begins.items():
        checked[t] = {}
        for number, given_mask in given.items():
            mask = torch.as_tensor(given_mask, device="cpu")
            if mask.dtype != torch.bool or tuple(mask.shape) != size:
                raise InputError(
                    f"the mask of object {number} in frame {t} is {mask.dtype} "
                    f"{tuple(mask.shape)}; expected bool of the frame's size, {size}."
                )
            if not bool(mask.any()):
                raise InputError(f"the mask of object {number} in frame {t} is empty.")
            checked[t][number] = mask
    return checked
