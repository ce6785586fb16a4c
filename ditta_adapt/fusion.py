"""Fusion of the image model's prediction with the add-on's (Eq. 3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError


def fuse(
    probs: Float[Tensor, "B C H W"],
    addon_probs: Float[Tensor, "B C H W"],
    rel: Float[Tensor, "B H W"],
    addon_rel: Float[Tensor, "B H W"],
    *,
    threshold: float = 0.8,
) -> Float[Tensor, "B C H W"]:
    r"""Blend two class distributions where the first is not reliable.

    .. math::
        p_{final} = \begin{cases} p & R \ge \tau \\ w\,p + (1 - w)\,p_{att} & R < \tau
        \end{cases}, \qquad w = \frac{R}{R + R_{att}}

    Args:
        probs: `p`, `(B, C, H, W)`, a distribution over classes at every pixel.
        addon_probs: `p_att`, same shape.
        rel: `R`, `(B, H, W)` in [0, 1].
        addon_rel: `R_att`, same shape.
        threshold: `tau` in [0, 1]; 0 turns fusion off.

    Returns:
        `(B, C, H, W)`, again a distribution. Where both reliabilities are 0, `w` is 0.5.

    Raises:
        ShapeError: the shapes do not belong together.
        InputError: `threshold` outside [0, 1].

    Source: paper, Eq. 3; on probabilities at frame size, as the released program does.
    """
    if probs.ndim != 4 or probs.shape != addon_probs.shape:
        raise ShapeError(
            f"probs has shape {tuple(probs.shape)} and addon_probs {tuple(addon_probs.shape)}; "
            "expected the same (B, C, H, W)."
        )
    expected = (probs.shape[0], *probs.shape[2:])
    if rel.shape != expected or addon_rel.shape != expected:
        raise ShapeError(
            f"rel has shape {tuple(rel.shape)} and addon_rel {tuple(addon_rel.shape)}; expected "
            f"{expected} for both."
        )
    if not 0 <= threshold <= 1:
        raise InputError(f"threshold is {threshold}; expected a number in [0, 1].")
    total = rel + addon_rel
    undecided = total <= 0
    weight = torch.where(undecided, 0.5, rel / torch.where(undecided, 1.0, total))
    weight = torch.where(rel < threshold, weight, 1.0).unsqueeze(1)
    return torch.lerp(addon_probs, probs, weight)
