"""Votes of past frames, carried along to the present one: a temporal memory without weights."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.ops.photometric import colours_on_grid, photometric_trust
from ditta_adapt.reliability import probabilities_and_reliability, reliability
from ditta_adapt.teachers.checked_calls import carry
from ditta_adapt.teachers.propagator import DenseTransport

LEAST_RELIABILITY = 1e-6
"""Where nobody is sure of anything, a frame still speaks for itself."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of a stream.

    Attributes:
        frame: the frame last seen.
        votes: for every class, of all frames so far, on the grid of the logits of that frame;
            above 0 in total in every cell.
        trust: mean photometric trust of the last step, in [0, 1].
    """

    frame: UInt8[Tensor, "3 H W"]
    votes: Float[Tensor, "C h w"]
    trust: float = 1.0


def own_reliability(logits: Float[Tensor, "1 C h w"]) -> Float[Tensor, "h w"]:
    """`R` normalised by `ln C`, at least 1e-6, so that it is comparable between frames."""
    return reliability(logits.float(), normalizer="classes")[0].clamp(min=LEAST_RELIABILITY)


def own_votes(logits: Float[Tensor, "1 C h w"]) -> Float[Tensor, "C h w"]:
    """One frame's votes: class probabilities times reliability, `R p`; see `own_reliability`."""
    probabilities, weight = probabilities_and_reliability(logits.float(), normalizer="classes")
    return probabilities[0] * weight[0].clamp(min=LEAST_RELIABILITY)


def carry_votes(
    session: DenseTransport,
    votes: Float[Tensor, "C h w"],
    frames: tuple[UInt8[Tensor, "3 H W"], UInt8[Tensor, "3 H W"]],
    steps: tuple[int, int],
    *,
    decay: float,
    tolerance: float,
) -> tuple[Float[Tensor, "C h w"], float]:
    r"""Votes of one frame as they count in its neighbour, and the mean trust in them.

    .. math:: V' = g\, w\, carry(V)

    with the photometric trust `w` of the same path, see `photometric_trust`.

    Args:
        session: carries maps.
        votes: `V`, on any grid over the frame.
        frames: where the votes are, and where they go.
        steps: the indices of the two in the session.
        decay: `g` in [0, 1].
        tolerance: of the photometric trust.

    Raises:
        PropagationError: the teacher raised, or what it returned does not fit.
    """
    height, width = votes.shape[1:]
    source, target = (colours_on_grid(f.to(votes.device), (height, width)) for f in frames)
    moved, valid = carry(session, torch.cat([votes, source]), *steps)
    trust = photometric_trust(moved[-3:], target, valid, tolerance=tolerance)
    return decay * trust * moved[:-3], float(trust.mean())


def remember(
    session: DenseTransport,
    memory: Memory,
    frame: UInt8[Tensor, "3 H W"],
    logits: Float[Tensor, "1 C h w"],
    steps: tuple[int, int],
    *,
    decay: float,
    tolerance: float,
) -> Memory:
    r"""The memory after one more frame.

    .. math:: V_t = R_t p_t + g\, w_t\, carry_{t-1 \to t}(V_{t-1})

    Where the past is trusted, a frame that is wrong for once is outvoted; where the model is sure
    of itself for a few frames, the past is.

    Args:
        session: of a teacher on (at least) the two frames.
        memory: after the frame before.
        frame: `(3, H, W)` uint8 RGB, the next one.
        logits: of the model on it.
        steps: indices of the two frames in the session.
        decay: `g` in [0, 1].
        tolerance: see `photometric_trust`.

    Raises:
        PropagationError: the teacher raised, or what it returned does not fit.
    """
    frames = (memory.frame, frame)
    past, trust = carry_votes(
        session, memory.votes, frames, steps, decay=decay, tolerance=tolerance
    )
    return Memory(frame, own_votes(logits) + past, trust)
