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
from itertools import pairwise
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
    frames: Sequence[Features],
    masks: Float[Tensor, "K h w"],
) -> Float[Tensor, ""]:
    r"""There and back again: the first frame's masks are to be found from what became of them.

    .. math::
        \hat m_i^b = f(x_i; \{(x_j, \hat m_j)\}), \qquad
        \hat m_0^b = f(x_0; \{(x_j, \hat m_j), (x_i, \hat m_i^b)\}), \qquad
        L = CE(\hat m_0^b, m_0)

    The mean over all pixels. Gradients go through all predictions: soft masks are remembered as
    they are. Of more than three frames, all are remembered on the way there, and all that were
    found since the last one on the way back.

    Args:
        network: that is trained.
        frames: features of frame 0 and at least two later ones, in order.
        masks: `m_0`, on the network's grid.
    """
    found = _there(network, frames, masks)
    memory = [_remembered(network, frames[-1], _masks(found[-1]))]
    for behind in reversed(frames[1:-1]):
        memory.append(_remembered(network, behind, _masks(network.read(behind, memory))))
    return _cross_entropy(network.read(frames[0], memory), masks)


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
    frames: Sequence[Features],
    masks: Float[Tensor, "K h w"],
) -> Float[Tensor, ""]:
    r"""Later masks are to be decided: `L = (H(\hat m_i) + H(\hat m_j)) / 2`.

    `H` is the entropy over background and objects in nats, the mean over all pixels; of more than
    three frames the mean over all later ones.

    Args:
        network: that is trained.
        frames: features of frame 0 and at least two later ones, in order.
        masks: `m_0`, on the network's grid.
    """
    found = _there(network, frames, masks)
    return torch.stack([_entropy(logits) for logits in found]).mean()


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


def _there(
    network: MaskNetwork, frames: Sequence[Features], masks: Float[Tensor, "K h w"]
) -> list[Tensor]:
    """Logits of all frames but the first, each read from all before it."""
    memory: list[Remembered] = []
    found: list[Tensor] = []
    for here, ahead in pairwise(frames):
        memory.append(_remembered(network, here, masks))
        found.append(network.read(ahead, memory))
        masks = _masks(found[-1])
    return found


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
