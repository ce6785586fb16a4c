"""The distillation term of one frame (Eq. 5), for any prediction of it."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.config import Anchored, CrossEntropy
from ditta_adapt.losses import anchored_distillation_loss, distillation_loss
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.targets.targets import IGNORE, Targets


class Distillation:
    """Labels of one frame, and the loss of logits against them.

    Args:
        targets: what is learned.
        t: the frame.
        frozen: logits of the frozen model on a frame, `(1, C, h, w)` on its grid, to hold on to
            where targets are doubtful.
        options: which loss; targets without confidence are learned by cross-entropy.
        device: of the logits.
        balance: weight of a pixel by its label's class, see `class_weights`; none to count all
            pixels alike. Pixels without a label weigh 1.
    """

    def __init__(
        self,
        targets: Targets,
        t: int,
        frozen: Callable[[int], Tensor],
        options: Anchored | CrossEntropy,
        device: torch.device,
        balance: Float[Tensor, " C"] | None = None,
    ) -> None:
        self._labels = targets.labels[t].to(device).long().unsqueeze(0)
        self._size: tuple[int, int] = (self._labels.shape[1], self._labels.shape[2])
        self._options = options
        self._weight: Tensor | None = None
        if balance is not None:
            known = self._labels != IGNORE
            weights = balance.to(device)[torch.where(known, self._labels, 0)]
            self._weight = torch.where(known, weights, 1.0)
        self._confidence: Tensor | None = None
        if isinstance(options, Anchored) and targets.confidence:
            self._confidence = targets.confidence[t].to(device).float().unsqueeze(0)
            self._anchor = resize_logits(frozen(t), self._size).softmax(dim=1)

    def __call__(self, logits: Float[Tensor, "1 C h w"]) -> Float[Tensor, ""]:
        """The loss of logits on any grid over the frame; they are resized to that of the labels."""
        resized = resize_logits(logits, self._size)
        if self._confidence is not None:
            return anchored_distillation_loss(
                resized,
                self._labels,
                self._confidence,
                self._anchor,
                ignore_index=IGNORE,
                weight=self._weight,
            )
        plain = self._options if isinstance(self._options, CrossEntropy) else CrossEntropy()
        return distillation_loss(
            resized,
            self._labels,
            ignore_index=IGNORE,
            double_softmax=plain.double_softmax,
            reduction=plain.reduction,
            weight=self._weight,
        )
