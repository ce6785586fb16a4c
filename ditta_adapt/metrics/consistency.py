"""mVC: how constant predictions stay where the truth does."""

from collections.abc import Iterable
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics.labels import label_map


class VideoConsistency:
    r"""Mean video consistency over windows of `n` frames.

    .. math:: mVC_n = \operatorname{mean}_i \frac{|G_i \cap Q_i|}{|G_i|}

    `G_i` are the pixels whose target is constant over frames `i .. i + n - 1`, `Q_i` those whose
    prediction is. Whether the prediction is *right* is not asked: one that never changes scores 1.
    A video of `L` frames has the windows `i = 0 .. L - n - 1`, one fewer than fit, as in the
    official program; windows with an empty `G_i` are left out, and all windows of all videos
    weigh the same.

    Args:
        window: `n`, at least 2.

    Source: the VSPW evaluator.
    """

    def __init__(self, window: int) -> None:
        if window < 2:
            raise InputError(f"window is {window}; expected at least 2 frames.")
        self.window = window
        self._scores: list[float] = []

    def add_video(
        self, preds: Iterable[Tensor | np.ndarray], targets: Iterable[Tensor | np.ndarray]
    ) -> None:
        """Add one video: label maps `(H, W)` frame by frame; two frames are held at a time.

        A video of at most `n` frames adds nothing; nor does one that is refused.

        Raises:
            ShapeError: a frame whose maps differ in size from each other or from the first.
            InputError: one of the two has more frames than the other.
        """
        steady_pred, steady_target = _Steadiness(), _Steadiness()
        scores: list[float | None] = []
        missing: Any = object()
        for t, (pred, target) in enumerate(zip_longest(preds, targets, fillvalue=missing)):
            if pred is missing or target is missing:
                raise InputError(
                    f"preds and targets differ in length: one of them has only {t} frames."
                )
            prediction, truth = label_map(pred), label_map(target)
            truth = truth.to(prediction.device)
            if prediction.shape != truth.shape:
                raise ShapeError(
                    f"frame {t}: pred has shape {tuple(prediction.shape)} and target "
                    f"{tuple(truth.shape)}; expected the same."
                )
            quiet = steady_target.add(truth, t) >= self.window
            same = (steady_pred.add(prediction, t) >= self.window) & quiet
            scores.append(float(same.sum() / quiet.sum().double()) if quiet.any() else None)
        # The last window that fits is not counted.
        self._scores += [score for score in scores[:-1] if score is not None]

    def value(self) -> float:
        """mVC in [0, 1]; NaN if no window was added."""
        return float(np.mean(self._scores)) if self._scores else float("nan")


class _Steadiness:
    """For every pixel, over how many frames up to now its label has been the same."""

    def __init__(self) -> None:
        self._labels: Tensor | None = None
        self._count: Tensor | None = None

    def add(self, labels: Tensor, t: int) -> Tensor:
        count = torch.ones_like(labels, dtype=torch.int32)
        if self._labels is not None and self._count is not None:
            if labels.shape != self._labels.shape:
                raise ShapeError(
                    f"frame {t} has shape {tuple(labels.shape)}; the frames before it "
                    f"{tuple(self._labels.shape)}."
                )
            count += torch.where(labels == self._labels, self._count, 0)
        self._labels, self._count = labels, count
        return count
