"""Votes of past frames, carried along to the present one: a temporal memory without weights."""

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.ops.soft_votes import soft_votes
from ditta_adapt.teachers.propagator import DenseWarper
from ditta_adapt.teachers.warped_votes import warp_votes


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept of a stream.

    Attributes:
        frame: the frame last seen.
        votes: for every class, of all frames so far, on the grid of the logits of that frame;
            above 0 in total in every cell.
        trust: mean photometric consistency of the last step, in [0, 1].
    """

    frame: UInt8[Tensor, "3 H W"]
    votes: Float[Tensor, "C h w"]
    trust: float = 1.0


def update_memory(
    session: DenseWarper,
    memory: Memory,
    frame: UInt8[Tensor, "3 H W"],
    logits: Float[Tensor, "1 C h w"],
    steps: tuple[int, int],
    *,
    decay: float,
    tolerance: float,
) -> Memory:
    r"""The memory after one more frame.

    .. math:: V_t = R_t p_t + g\, w_t\, warp_{t-1 \to t}(V_{t-1})

    Where the past is trusted, a frame that is wrong for once is outvoted; where the model is sure
    of itself for a few frames, the past is.

    Args:
        session: of a teacher on (at least) the two frames.
        memory: after the frame before.
        frame: `(3, H, W)` uint8 RGB, the next one.
        logits: of the model on it.
        steps: indices of the two frames in the session.
        decay: `g` in [0, 1].
        tolerance: see `photometric_consistency`.

    Raises:
        PropagationError: the teacher raised, or what it returned does not fit.
    """
    frames = (memory.frame, frame)
    past, trust = warp_votes(session, memory.votes, frames, steps, decay=decay, tolerance=tolerance)
    return Memory(frame, soft_votes(logits) + past, trust)
