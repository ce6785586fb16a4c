"""Several objects, each found on its own, share the pixels of a frame."""

import torch
from jaxtyping import Float
from torch import Tensor

_LEAST = 1e-7


def aggregation_logits(probabilities: Float[Tensor, "K h w"]) -> Float[Tensor, "K1 h w"]:
    r"""Logits of the background and of all objects, whose softmax is their share of each pixel.

    .. math:: p_0 = \prod_k (1 - p_k), \qquad l_k = \ln \frac{p_k}{1 - p_k}

    with all `p` kept within `[1e-7, 1 - 1e-7]`.

    Args:
        probabilities: `p_k` in [0, 1], of each of `K` objects beside the background alone.

    Returns:
        `(K + 1, h, w)`, the background first.

    Source: Oh et al., "Fast Video Object Segmentation by Reference-Guided Mask Propagation", CVPR
    2018, as in STCN.
    """
    background = (1 - probabilities).prod(dim=0, keepdim=True)
    everyone = torch.cat([background, probabilities]).clamp(_LEAST, 1 - _LEAST)
    return everyone.log() - (1 - everyone).log()
