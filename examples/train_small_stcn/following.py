"""Objects followed through batches of clips, with gradients all the way."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt.teachers.soft_aggregation import aggregation_logits
from ditta_adapt.teachers.stcn.network import FrameFeatures, SpaceTimeNetwork, read


def follow(
    network: SpaceTimeNetwork, images: Tensor, owner: Tensor, first: Tensor
) -> list[list[Tensor]]:
    """Logits of all frames but the first, `[t][clip]`, each `(K + 1, S, S)`, background first.

    Every frame is remembered as it was found, softly, and read by all later ones.

    Args:
        network: in training or not.
        images: `(B, T, 3, S, S)`, normalised.
        owner: `(N,)` the clip of each object, in rising order.
        first: `(N, S, S)` their masks in the first frame, in {0, 1}.
    """
    clips, length = images.shape[:2]
    together = network.encode(images.flatten(0, 1))
    # Of all frames at once, so that normalisation sees the whole batch.
    frames = [
        FrameFeatures(*(each.unflatten(0, (clips, length))[:, t] for each in together))
        for t in range(length)
    ]
    counts = torch.bincount(owner, minlength=clips).tolist()
    masks, keys, values, found = first, [], [], []
    for t in range(length - 1):
        value = network.remember(
            images[owner, t], frames[t].deep[owner], masks, _others(masks, counts)
        )
        keys.append(frames[t].key)
        values.append(value)
        ahead = frames[t + 1]
        remembered = read(ahead.key[owner], torch.stack(keys, 2)[owner], torch.stack(values, 2))
        decoded = network.decode(remembered, ahead.of(owner))
        logits = [aggregation_logits(each) for each in decoded.float().sigmoid().split(counts)]
        found.append(logits)
        masks = torch.cat([each.softmax(dim=0)[1:] for each in logits])
    return found


def clip_loss(found: Sequence[Sequence[Tensor]], truth: Tensor, owner: Tensor) -> Tensor:
    """Cross-entropy over background and objects, and dice of the objects, as means.

    Without dice, which does not care how many pixels an object has, small ones are never found.

    Args:
        found: see `follow`.
        truth: `(N, T, S, S)` bool.
        owner: `(N,)` the clip of each object.
    """
    counts = torch.bincount(owner).tolist()
    losses = []
    for t, clips in enumerate(found, 1):
        for logits, masks in zip(clips, truth[:, t].float().split(counts), strict=True):
            rest = 1 - masks.sum(dim=0, keepdim=True)
            target = torch.cat([rest, masks]).argmax(dim=0)
            losses.append(F.cross_entropy(logits[None], target[None]) + _dice(logits, masks))
    return torch.stack(losses).mean()


def _others(masks: Tensor, counts: Sequence[int]) -> Tensor:
    return torch.cat([own.sum(dim=0, keepdim=True) - own for own in masks.split(list(counts))])


def _dice(logits: Tensor, masks: Tensor) -> Tensor:
    chance = logits.softmax(dim=0)[1:]
    both, all_of_them = (chance * masks).sum((1, 2)), (chance + masks).sum((1, 2))
    return (1 - (2 * both + 1) / (all_of_them + 1)).mean()
