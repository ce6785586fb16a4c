"""Votes of past frames, warped to the present one: a temporal memory without weights."""

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.config import WarpedVotes
from ditta_adapt.teachers.warped_votes import Warp, warp_votes


def past_votes(
    warp: Warp,
    votes: Float[Tensor, "C h w"],
    before: Float[Tensor, "3 h w"],
    frame: Float[Tensor, "3 h w"],
    options: WarpedVotes,
) -> tuple[Float[Tensor, "C h w"], Float[Tensor, ""]]:
    r"""What the memory says about a frame that was not decoded yet.

    .. math:: g\, w_t\, warp_{t-1 \to t}(V_{t-1})

    Args:
        warp: from the frame before to this frame.
        votes: `V_{t-1}`, on the grid of the logits.
        before: colours of the frame before, see `colours_on_grid`.
        frame: of this frame.
        options: `g` is their decay; `w` has their tolerance.

    Returns:
        Votes, and the mean photometric consistency `w` in [0, 1].

    Raises:
        PropagationError: the propagator raised, or what it returned does not fit.
    """
    return warp_votes(warp, votes, before, frame, decay=options.decay, tolerance=options.tolerance)


def update_memory(
    past: Float[Tensor, "C h w"] | None,
    votes: Float[Tensor, "C h w"],
    looked: Float[Tensor, "C h w"] | None = None,
) -> Float[Tensor, "C h w"]:
    r"""The memory after one more frame.

    .. math:: V_t = R_t p_t + g\, w_t\, warp_{t-1 \to t}(V_{t-1})

    Where the past is trusted, a frame that is wrong for once is outvoted; where the model is sure
    of itself for a few frames, the past is.

    Args:
        past: of `past_votes`; none at the start of a stream.
        votes: of this frame, see `soft_votes`.
        looked: of a second look at it, see `Look.votes`.
    """
    votes = votes if past is None else votes + past
    return votes if looked is None else votes + looked
