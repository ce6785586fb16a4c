"""What a tracked frame should have been: mask, its IoU, and whether the object is in sight."""

import torch
import torch.nn.functional as F
from torch import Tensor

from examples.train_small_sam2.tracking import Tracked

# A share of the frame: of what shows less, nothing is asked about being in sight.
_IN_SIGHT = 0.002
# Of the score of what is gone. It is rare, and a model that hears little of it never says so; and
# to follow something else does more harm than to say too early that nothing is there.
_ABSENCE_WEIGHT = 4.0


def frame_loss(tracked: Tracked, truth: Tensor, *, balance: float) -> dict[str, Tensor]:
    """Losses of one frame, each a scalar.

    Args:
        tracked: N objects with M candidates.
        truth: `(N, S, S)` in {0, 1}; an object without a pixel is absent.
        balance: 1 weighs all of the object like all of the rest in the cross-entropy, 0 each
            pixel the same. Without balance small objects are never found; with it their masks
            come out too large, so training goes from one towards the other.

    Returns:
        `"mask"`: cross-entropy and dice of the best candidate, at half the input size, over the
        objects in sight; `"iou"`: squared error of the guessed IoUs; `"score"`: cross-entropy of
        being in sight, in which an absent object counts four times, and one of which hardly a
        pixel is left not at all.
    """
    present = truth.flatten(1).any(1)
    in_sight = truth.flatten(1).float().mean(1) > _IN_SIGHT
    weight = torch.where(present, in_sight.float(), _ABSENCE_WEIGHT)
    score = F.binary_cross_entropy_with_logits(tracked.score, present.float(), weight)
    if not present.any():
        nothing = tracked.logits.sum() * 0
        return {"mask": nothing, "iou": nothing, "score": score}
    logits = F.interpolate(
        tracked.logits[present], scale_factor=2.0, mode="bilinear", align_corners=False
    )
    target = F.avg_pool2d(truth[present, None], 2).expand_as(logits)
    mask = (_cross_entropy(logits, target, balance) + _dice(logits, target)).min(1).values
    actual = _iou(logits.detach(), target)
    return {
        "mask": mask.mean(),
        "iou": F.mse_loss(tracked.iou[present], actual),
        "score": score,
    }


def _cross_entropy(logits: Tensor, target: Tensor, balance: float) -> Tensor:
    """`(N, M)`: mean over pixels, weighed so that object and rest draw even as `balance` is 1."""
    share = target.mean((2, 3), keepdim=True).clamp(1e-4, 1 - 1e-4)
    inside, outside = (0.5 / share) ** balance, (0.5 / (1 - share)) ** balance
    weight = target * inside + (1 - target) * outside
    loss = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    return (loss * weight).sum((2, 3)) / weight.sum((2, 3))


def _dice(logits: Tensor, target: Tensor) -> Tensor:
    chance = logits.sigmoid()
    both = (chance * target).sum((2, 3))
    return 1 - (2 * both + 1) / (chance.sum((2, 3)) + target.sum((2, 3)) + 1)


def _iou(logits: Tensor, target: Tensor) -> Tensor:
    found, true = logits > 0, target > 0.5
    return (found & true).sum((2, 3)) / (found | true).sum((2, 3)).clamp(min=1)
