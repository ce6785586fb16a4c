"""How much a pixel teaches: less where its class is everywhere, so mass alone does not win."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Integer
from torch import Tensor

from ditta_adapt.targets.targets import IGNORE


def class_weights(
    labels: Sequence[Integer[Tensor, "H W"]], num_classes: int, *, exponent: float = 0.5
) -> Float[Tensor, " C"]:
    r"""Weight of a pixel in the loss, by its target's class.

    .. math:: w_c = \frac{f_c^{-e}}{\sum_k f_k^{1 - e}}

    with the share `f_c` of class `c` among all labelled pixels of the warm-up. The mean weight of a
    labelled pixel is 1. A loss that is averaged over pixels teaches mostly the class that fills the
    frame, and objects shrink from pass to pass; with `e = 1/2` a class counts by the square root of
    its share.

    Args:
        labels: targets of every warm-up frame; `IGNORE` is left out.
        num_classes: `C`.
        exponent: `e` in [0, 1]: 0 is no balance, with 1 all classes count alike.

    Returns:
        `(C,)` float32 on the CPU; 0 for classes that do not occur.

    Source: class-balanced self-training (Zou et al., ECCV 2018) has the idea; the exponent is the
    usual one for long-tailed classes. The rarity term of Eq. 4 has the same reason.
    """
    counts = torch.zeros(num_classes, dtype=torch.float64, device="cpu")
    for frame in labels:
        known = frame[frame != IGNORE].long().flatten().cpu()
        counts += torch.bincount(known, minlength=num_classes)
    return balanced_weights(counts / counts.sum().clamp(min=1), exponent)


def balanced_weights(share: Float[Tensor, " C"], exponent: float) -> Float[Tensor, " C"]:
    """`w` of `class_weights` from the shares of the classes, which sum to 1."""
    weights = torch.where(share > 0, share.clamp(min=1e-12) ** -exponent, 0.0)
    return (weights / (weights * share).sum().clamp(min=1e-12)).float()
