"""How far a vote is trusted: by how clearly it was won."""

import torch
from jaxtyping import Float
from torch import Tensor


def vote_margin(votes: Float[Tensor, "C *cells"]) -> Float[Tensor, "*cells"]:
    r"""From the margin of the first class over the second, as a share of all votes.

    .. math:: m = \min\left(1,\; 2\, \frac{v^{(1)} - v^{(2)}}{\sum_c v_c}\right)^2

    A class with three quarters of the votes is trusted fully. Where a model takes an object for one
    thing and then for another, classes share the votes, and the square makes little of a small
    lead; single errors of a noisy frame are outvoted by far, and mended.

    Args:
        votes: `v`, `(C, ...)` float, not negative.

    Returns:
        `(...)` in [0, 1]; 0 where there is no vote, and 1 where there is one class only.
    """
    most = votes.topk(min(2, len(votes)), dim=0).values
    margin = most[0] - most[1] if len(most) > 1 else most[0]
    total = votes.sum(dim=0)
    share = margin / torch.where(total > 0, total, torch.ones_like(total))
    return (2 * share).clamp(0, 1).square()
