"""Whether scores of one grid are those of another, resized."""

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.ops.resize import resize_logits

# In units of how far scores differ from place to place.
_TOLERANCE = 1e-3


def same_scores(coarse: Float[Tensor, "B C h w"], fine: Float[Tensor, "B C2 H W"]) -> bool:
    """Whether logits, resized as is done here (bilinear, `align_corners=False`), are others.

    Differences are measured against how much the logits vary from place to place, since those of
    a network with random weights may hardly do so; where they do not vary at all it cannot be told,
    and the answer is no.

    Args:
        coarse: logits of a layer.
        fine: logits that a model returned, perhaps log-probabilities.
    """
    if coarse.shape[:2] != fine.shape[:2]:
        return False
    with torch.no_grad():
        resized = resize_logits(coarse, (fine.shape[2], fine.shape[3]))
        # Logits and log-probabilities differ by a constant a pixel.
        ours, theirs = (each - each.mean(1, keepdim=True) for each in (resized, fine.float()))
        spread = (theirs - theirs.mean((2, 3), keepdim=True)).abs().max()
        return bool(spread > 0 and (ours - theirs).abs().max() <= _TOLERANCE * spread)
