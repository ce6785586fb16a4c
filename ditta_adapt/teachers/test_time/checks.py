"""What test-time training refuses before it begins."""

from collections.abc import Sequence
from math import inf
from typing import get_args

import torch
from torch import Tensor

from ditta_adapt.config import Objective
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frame_to_tensor
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.test_time.sequences import SHORTEST
from ditta_adapt.teachers.test_time.trainable import TrainablePropagator


def check_trainable(propagator: Propagator) -> None:
    """Check that a propagator has what training needs.

    Raises:
        InputError: it has not.
    """
    if not isinstance(propagator, TrainablePropagator):
        raise InputError(
            f"{type(propagator).__name__} cannot be trained; expected a propagator with "
            "training_copy(frames) and trained(network), such as MatchingPropagator."
        )


def check_training(
    propagator: Propagator,
    frames: Sequence[Frame],
    masks: Tensor,
    objective: str,
    iterations: int | None,
    learning_rate: float | None,
    length: int,
    jump: int | None,
) -> None:
    """Check the arguments of `adapt_propagator`.

    Raises:
        InputError: see there.
    """
    check_trainable(propagator)
    if objective not in get_args(Objective):
        raise InputError(f"objective is {objective!r}; expected one of {get_args(Objective)}.")
    wrong_rate = learning_rate is not None and not 0 < learning_rate < inf
    counts = ((iterations, 1), (jump, 1), (length, SHORTEST))
    wrong = any(
        number is not None and (not isinstance(number, int) or number < least)
        for number, least in counts
    )
    if wrong or wrong_rate or length is None:
        raise InputError(
            f"iterations is {iterations}, learning_rate {learning_rate}, length {length} and jump "
            f"{jump}; expected at least 1 (or none), above 0 and finite (or none), at least "
            f"{SHORTEST}, and at least 1 (or none)."
        )
    if not len(frames):
        raise InputError("no frames: training needs the video.")
    size = frame_to_tensor(frames[0], name="frame 0").shape[1:]
    if not isinstance(masks, Tensor):
        raise InputError(f"masks are a {type(masks).__name__}; expected a tensor.")
    if masks.dtype != torch.bool or masks.ndim != 3 or masks.shape[1:] != size:
        raise InputError(
            f"masks are {masks.dtype} {tuple(masks.shape)}; expected bool (K, H, W) of the first "
            f"frame, which is {tuple(size)}."
        )
    if not len(masks) or not bool(masks.flatten(1).any(dim=1).all()):
        raise InputError("a mask is empty, or there is none; expected at least a pixel of each.")
