"""The videos that are not learned: they decide what is kept."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ditta_adapt.domain.source_clips import LabelledFrame, nearest
from ditta_adapt.errors import InputError
from ditta_adapt.models.forward import decode_checked, encode_frame
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.safety.agreement import agreement


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame that is not learned.

    Attributes:
        frame: RGB.
        plain: its labels by the image model, on the model's grid.
        reference: what labels are compared with, on the same grid; below 0 where nothing is known.
    """

    frame: UInt8[Tensor, "3 H W"]
    plain: Integer[Tensor, "h w"]
    reference: Integer[Tensor, "h w"]


class HeldOut:
    r"""Compares an adapted model with the image model on frames that neither learned from.

    .. math:: g_v = mean_{t \in v} (a(y_t) - a(y^0_t))

    with the `agreement` `a` of the labels of the adapted and of the plain model with a reference:
    what the plain one says of the frame at other sizes, or what is true.

    Args:
        videos: frames of each, with their references; made by `look_at_videos` and `by_labels`.
        num_classes: of the model.
    """

    def __init__(self, videos: Sequence[Sequence[Judged]], num_classes: int) -> None:
        self._videos, self._classes = videos, num_classes

    @classmethod
    def by_labels(cls, source: Segmenter, videos: Iterable[Sequence[LabelledFrame]]) -> "HeldOut":
        """Against what is true of frames of other videos.

        Raises:
            InputError: there is no such frame.
        """
        judged = [[_known(source, each) for each in video] for video in videos]
        if not judged:
            raise InputError("no held-out video of the source has labels; expected some.")
        return cls(judged, source.num_classes)

    def gains(self, adapted: Segmenter) -> list[list[float]]:
        """`a(y_t) - a(y^0_t)` by video and frame."""
        return [[self._gain(adapted, each) for each in video] for video in self._videos]

    def _gain(self, adapted: Segmenter, judged: Judged) -> float:
        grid = judged.plain.shape[0], judged.plain.shape[1]
        pair = _labels(adapted, judged.frame, grid).cpu(), judged.plain
        # Only where something is known, as one row.
        known = judged.reference >= 0
        rows = [labels[known].unsqueeze(0) for labels in (*pair, judged.reference)]
        found = agreement(rows[:2], rows[2], self._classes)
        return float(found[0] - found[1])


def bounds(gains: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Mean over videos less, and plus, two standard errors.

    Of a single video, the error is that of its frames; of a single frame nothing is known, and the
    bounds are infinite.
    """
    samples = [float(np.mean(video)) for video in gains] if len(gains) > 1 else list(gains[0])
    if len(samples) < 2:
        return -math.inf, math.inf
    error = float(np.std(samples, ddof=1)) / math.sqrt(len(samples))
    mean = float(np.mean([np.mean(video) for video in gains]))
    return mean - 2 * error, mean + 2 * error


def _known(source: Segmenter, labelled: LabelledFrame) -> Judged:
    plain = _labels(source, labelled.frame).cpu()
    grid = (plain.shape[0], plain.shape[1])
    return Judged(labelled.frame, plain, nearest(labelled.labels, grid))


def _labels(
    segmenter: Segmenter, frame: Tensor, grid: tuple[int, int] | None = None
) -> Integer[Tensor, "h w"]:
    """On a grid, by default the model's own: one at two resolutions has a finer one."""
    with torch.no_grad():
        logits = decode_checked(segmenter, encode_frame(segmenter, frame)).logits
        if grid is not None and tuple(logits.shape[2:]) != grid:
            logits = resize_logits(logits, grid)
        labels: Tensor = logits[0].argmax(dim=0)
    return labels
