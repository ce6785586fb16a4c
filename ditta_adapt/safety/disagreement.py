"""How much of what a frozen model is sure of is said otherwise."""

from jaxtyping import Float, Int64, Integer
from torch import Tensor

from ditta_adapt.ops.soft_votes import absolute_reliability


def disagreement(
    labels: Integer[Tensor, "H W"], others: Integer[Tensor, "H W"], weight: Float[Tensor, "H W"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    r"""How much of a weight lies where two label maps differ, and all of the weight.

    .. math:: \sum_x w(x)\, [y(x) \ne y'(x)], \qquad \sum_x w(x)

    Both are float64, on the device of the labels.
    """
    weight = weight.double()
    return (weight * (labels != others)).sum(), weight.sum()


def logits_disagreement(
    logits: Float[Tensor, "1 C h w"], frozen: Float[Tensor, "1 C h w"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`disagreement` of logits with those of a frozen model on one frame, and all of the weight.

    Every cell weighs what the frozen model's `absolute_reliability` is there.
    """
    return disagreement(labels_of(logits), labels_of(frozen), absolute_reliability(frozen))


def labels_of(logits: Float[Tensor, "1 C h w"]) -> Int64[Tensor, "h w"]:
    """The most probable class of every cell."""
    return logits[0].argmax(dim=0)
