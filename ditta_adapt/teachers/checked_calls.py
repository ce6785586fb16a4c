"""Calls to a propagator whose errors name the call, and whose results are checked."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.errors import DittaError, PropagationError
from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.propagator import DenseWarper, Masks, Propagator


@contextmanager
def propagator_errors(call: str) -> Iterator[None]:
    """Turn whatever a propagator raises inside into one error that names the call.

    Raises:
        PropagationError: anything but an error of ours was raised.
    """
    try:
        yield
    except DittaError:
        raise
    except Exception as error:
        raise PropagationError(
            f"the propagator raised in {call}: {type(error).__name__}: {error}. The video model "
            "is as it was before; see the original error above."
        ) from error


@contextmanager
def open_session(propagator: Propagator, frames: Sequence[Frame]) -> Iterator[Any]:
    """A session on frames.

    Raises:
        PropagationError: the propagator raised while opening.
    """
    with ExitStack() as stack:
        with propagator_errors("open"):
            session = stack.enter_context(propagator.open(frames))
        yield session


@contextmanager
def open_warper(propagator: Propagator, frames: Sequence[Frame]) -> Iterator[DenseWarper]:
    """A session on frames that can warp dense maps.

    Raises:
        PropagationError: the propagator raised while opening, or its sessions cannot warp maps.
    """
    with open_session(propagator, frames) as session:
        yield require_warper(propagator, session)


def require_warper(propagator: Propagator, session: Any) -> DenseWarper:
    """A session of the propagator as one that can warp dense maps.

    Raises:
        PropagationError: it cannot.
    """
    if isinstance(session, DenseWarper):
        return session
    raise PropagationError(
        f"{type(propagator).__name__} cannot warp per-pixel maps: its sessions have no method "
        'warp(maps, t, to). Take a propagator that has one, such as "flow".'
    )


def warp_maps(
    session: DenseWarper, maps: Float[Tensor, "K h w"], t: int, to: int
) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
    """`session.warp(maps, t, to)`, checked.

    Raises:
        PropagationError: the session raised, or what it returned does not fit the maps.
    """
    call = f"warp(..., {t}, {to})"
    with propagator_errors(call):
        warped, valid = session.warp(maps, t, to)
    if warped.shape != maps.shape:
        raise PropagationError(
            f"{call} returned maps of shape {tuple(warped.shape)}; expected that of the maps it "
            f"was given, {tuple(maps.shape)}."
        )
    if valid.shape != maps.shape[1:] or valid.dtype != torch.bool:
        raise PropagationError(
            f"{call} returned a valid map of shape {tuple(valid.shape)} and dtype {valid.dtype}; "
            f"expected {tuple(maps.shape[1:])} bool."
        )
    return warped, valid


def check_masks(
    masks: Masks, expected_ids: Sequence[int], size: tuple[int, int], where: str
) -> None:
    """Check what a session returned for a frame of `size`, `(H, W)`.

    Raises:
        PropagationError: ids lost, added or reordered; wrong size or dtype; scores, where there
            are any, that are out of [0, 1].
    """
    ids = masks.object_ids.tolist()
    if ids != list(expected_ids):
        raise PropagationError(
            f"{where} returned objects {ids}; expected {list(expected_ids)}: every prompted "
            "object, in the order of prompting (with an empty mask if it is not visible)."
        )
    shape = (len(ids), *size)
    if tuple(masks.masks.shape) != shape or masks.masks.dtype != torch.bool:
        raise PropagationError(
            f"{where} returned masks of shape {tuple(masks.masks.shape)} and dtype "
            f"{masks.masks.dtype}; expected {shape} bool, at the frame's own size."
        )
    scores = masks.scores
    if scores is None:
        return
    if tuple(scores.shape) != shape or not scores.is_floating_point():
        raise PropagationError(
            f"{where} returned scores of shape {tuple(scores.shape)} and dtype {scores.dtype}; "
            f"expected {shape} floating point, like the masks, or none at all."
        )
    # Also false for NaN.
    if not ((scores >= 0) & (scores <= 1)).all():
        raise PropagationError(
            f"{where} returned scores from {float(scores.min())} to {float(scores.max())}; "
            "expected all of them in [0, 1]. Logits become scores by a sigmoid."
        )
