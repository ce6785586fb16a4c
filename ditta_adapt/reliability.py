"""Reliability: how sure a prediction is at each pixel (Eq. 2)."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError

Normalizer = Literal["frame", "classes"]


def reliability(
    logits: Float[Tensor, "B C H W"], *, normalizer: Normalizer = "frame"
) -> Float[Tensor, "B H W"]:
    r"""One minus the normalised entropy of the class distribution.

    .. math:: R(x) = 1 - H(x) / H_{max}, \qquad H(x) = -\sum_c p_c(x) \ln p_c(x),
              \qquad p = \mathrm{softmax}(Z)

    Args:
        logits: `Z`, `(B, C, H, W)` float. A class with logit -inf contributes no entropy.
        normalizer: `"frame"`: :math:`H_{max}` is the largest entropy in the frame, so `R` says
            how sure a pixel is *among the pixels of this frame* (paper, Eq. 2). `"classes"`:
            :math:`H_{max} = \ln C`, which does not depend on the rest of the frame.

    Returns:
        `(B, H, W)` float in [0, 1]. Where :math:`H_{max} = 0` (every pixel certain, or a single
        class) it is 1 everywhere. NaN logits give NaN, with `"frame"` in the whole frame.

    Raises:
        ShapeError: `logits` does not have four axes.
        InputError: unknown `normalizer`.

    Example:
        >>> reliability(torch.zeros(1, 4, 1, 1), normalizer="classes").item()
        0.0
    """
    if logits.ndim != 4:
        raise ShapeError(f"logits has shape {tuple(logits.shape)}; expected (B, C, H, W).")
    return _normalise(torch.special.entr(logits.softmax(dim=1)).sum(dim=1), logits, normalizer)


def probabilities_and_reliability(
    logits: Float[Tensor, "B C H W"], *, normalizer: Normalizer = "frame"
) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B H W"]]:
    """`softmax(logits)` and `reliability(logits)` in one go, for finite logits."""
    log_probabilities = logits.log_softmax(dim=1)
    probabilities = log_probabilities.exp()
    entropy = -(probabilities * log_probabilities).sum(dim=1)
    return probabilities, _normalise(entropy, logits, normalizer)


def _normalise(
    entropy: Float[Tensor, "B H W"], logits: Float[Tensor, "B C H W"], normalizer: Normalizer
) -> Float[Tensor, "B H W"]:
    """One minus the entropy's share of its maximum."""
    if normalizer == "frame":
        maximum = entropy.amax(dim=(1, 2), keepdim=True)
    elif normalizer == "classes":
        maximum = torch.full_like(entropy[:, :1, :1], math.log(logits.shape[1]))
    else:
        raise InputError(f"normalizer is {normalizer!r}; expected 'frame' or 'classes'.")
    certain = maximum <= 0
    ratio = entropy / torch.where(certain, torch.ones_like(maximum), maximum)
    return torch.where(certain, torch.ones_like(ratio), 1 - ratio).clamp(0, 1)
