"""Carry per-pixel maps along with a teacher that can, and check what it returns."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.errors import PropagationError
from ditta_adapt.io.frames import Frame
from ditta_adapt.targets.tracking import blame_teacher
from ditta_adapt.teachers.propagator import DenseTransport, Propagator


@contextmanager
def open_transport(propagator: Propagator, frames: Sequence[Frame]) -> Iterator[DenseTransport]:
    """A session of a teacher that can carry dense maps.

    Raises:
        PropagationError: the teacher raised while opening, or its sessions cannot carry maps.
    """
    with ExitStack() as stack:
        with blame_teacher("open"):
            session = stack.enter_context(propagator.open(frames))
        if not isinstance(session, DenseTransport):
            raise PropagationError(
                f"{type(propagator).__name__} cannot carry per-pixel maps: its sessions have no "
                'method carry(maps, t, to). Take a teacher that has one, such as "flow".'
            )
        yield session


def carry(
    session: DenseTransport, maps: Float[Tensor, "K h w"], t: int, to: int
) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
    """`session.carry(maps, t, to)`, checked.

    Raises:
        PropagationError: the session raised, or what it returned does not fit the maps.
    """
    call = f"carry(..., {t}, {to})"
    with blame_teacher(call):
        moved, valid = session.carry(maps, t, to)
    if moved.shape != maps.shape:
        raise PropagationError(
            f"{call} returned maps of shape {tuple(moved.shape)}; expected that of the maps it "
            f"was given, {tuple(maps.shape)}."
        )
    if valid.shape != maps.shape[1:] or valid.dtype != torch.bool:
        raise PropagationError(
            f"{call} returned a valid map of shape {tuple(valid.shape)} and dtype {valid.dtype}; "
            f"expected {tuple(maps.shape[1:])} bool."
        )
    return moved, valid
