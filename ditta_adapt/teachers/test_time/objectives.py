r"""Losses that need no labels but the masks of a video's first frame.

With `f(x; M)` the soft masks of a frame `x` from a memory `M` of frames with soft masks, frame 0
and its masks `m_0`, and two later frames `i < j`:

.. math::
    \hat m_i = f(x_i; \{(x_0, m_0)\}), \qquad
    \hat m_j = f(x_j; \{(x_0, m_0), (x_i, \hat m_i)\})

Source: Bertrand et al., "Test-time Training for Matching-based Video Object Segmentation", NeurIPS
2023.
"""

from collections.abc import Sequence
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.teachers.soft_aggregation import aggregation_logits
from ditta_adapt.teachers.test_time.mask_network import (
    DecodesValues,
    Features,
    MaskNetwork,
    Value,
)

Remembered: TypeAlias = tuple[Features, Value]


def mask_cycle_loss(
    network: MaskNetwork,
    triplet: Sequence[Features],
    masks: Float[Tensor, "K h w"],
) -> Float[Tensor, ""]:
    r"""There and back again: the first frame's masks are to be found from what became of them.

    .. math::
        \hat m_i^b = f(x_i; \{(x_j, \hat m_j)\}), \qquad
        \hat m_0^b = f(x_0; \{(x_j, \hat m_j), (x_i, \hat m_i^b)\}), \qquad
        L = CE(\hat m_0^b, m_0)

    The mean over all pixels. Gradients go through all four predictions: soft masks are remembered
    as they are.

    Args:
        network: that is trained.
        triplet: features of frames 0, `i` and `j`.
        masks: `m_0`, on the network's grid.
    """
    first, middle, last = triplet
    start = _remembered(network, first, masks)
    ahead = _remembered(network, middle, _masks(network.read(middle, [start])))
    end = _remembered(network, last, _masks(network.read(last, [start, ahead])))
    behind = _remembered(network, middle, _masks(network.read(middle, [end])))
    return _cross_entropy(network.read(first, [end, behind]), masks)


def copy_loss(masks: Float[Tensor, "K h w"]) -> float:
    r"""`L = CE(m_0, m_0)`: the cycle loss of a network that copies the masks it is given.

    It is 0 where masks are hard. On a coarse grid a cell that an object covers in part has a share
    of it, and whoever says more than that share has learned the first frame by heart.

    Args:
        masks: `m_0`, on the network's grid.
    """
    return float(_cross_entropy(aggregation_logits(masks), masks))


def entropy_loss(
    network: MaskNetwork,
    triplet: Sequence[Features],
    masks: Float[Tensor, "K h w"],
) -> Float[Tensor, ""]:
    r"""Later masks are to be decided: `L = (H(\hat m_i) + H(\hat m_j)) / 2`.

    `H` is the entropy over background and objects in nats, the mean over all pixels.

    Args:
        network: that is trained.
        triplet: features of frames 0, `i` and `j`.
        masks: `m_0`, on the network's grid.
    """
    first, middle, last = triplet
    start = _remembered(network, first, masks)
    at_middle = network.read(middle, [start])
    ahead = _remembered(network, middle, _masks(at_middle))
    at_last = network.read(last, [start, ahead])
    return (_entropy(at_middle) + _entropy(at_last)) / 2


def mask_autoencoder_loss(
    network: MaskNetwork, first: Features, masks: Float[Tensor, "K h w"]
) -> Float[Tensor, ""]:
    """The first frame's masks are to be decoded from their own value, without any matching.

    Args:
        network: that is trained; it must have `decode_value`.
        first: features of frame 0.
        masks: `m_0`, on the network's grid.
    """
    assert isinstance(network, DecodesValues)
    value = network.encode_memory(first, masks)
    return _cross_entropy(network.decode_value(first, value), masks)


def _remembered(
    network: MaskNetwork, features: Features, masks: Float[Tensor, "K h w"]
) -> Remembered:
    return features, network.encode_memory(features, masks)


def _masks(logits: Float[Tensor, "K1 h w"]) -> Float[Tensor, "K h w"]:
    return logits.softmax(dim=0)[1:]


def object_map(masks: Float[Tensor, "K h w"]) -> Int64[Tensor, "h w"]:
    """Which object has most of a cell, counted from 1; 0 where the background has."""
    rest = 1 - masks.sum(dim=0, keepdim=True)
    found: Tensor = torch.cat([rest, masks]).argmax(dim=0)
    return found


def _cross_entropy(
    logits: Float[Tensor, "K1 h w"], masks: Float[Tensor, "K h w"]
) -> Float[Tensor, ""]:
    return F.cross_entropy(logits[None], object_map(masks)[None])


def _entropy(logits: Float[Tensor, "K1 h w"]) -> Float[Tensor, ""]:
    log = logits.log_softmax(dim=0)
    return -(log.exp() * log).sum(dim=0).mean()
