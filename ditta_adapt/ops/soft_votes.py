"""One frame's votes for the classes, and how much each counts."""

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.reliability import probabilities_and_reliability, reliability

LEAST_RELIABILITY = 1e-6
"""Where nobody is sure of anything, a frame still speaks for itself."""


def absolute_reliability(logits: Float[Tensor, "1 C h w"]) -> Float[Tensor, "h w"]:
    """`R` normalised by `ln C`, at least 1e-6, so that it is comparable between frames.

    Args:
        logits: of any model on one frame.

    Returns:
        `(h, w)` float32 in [1e-6, 1].
    """
    return reliability(logits.float(), normalizer="classes")[0].clamp(min=LEAST_RELIABILITY)


def soft_votes(logits: Float[Tensor, "1 C h w"]) -> Float[Tensor, "C h w"]:
    """One frame's votes: class probabilities times `absolute_reliability`, `R p`.

    Args:
        logits: of any model on one frame.

    Returns:
        `(C, h, w)` float32, at least 0; above 0 in total in every cell.
    """
    probabilities, weight = probabilities_and_reliability(logits.float(), normalizer="classes")
    return probabilities[0] * weight[0].clamp(min=LEAST_RELIABILITY)
