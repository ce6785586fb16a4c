"""The videos that are not learned: they decide what is kept."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Integer, UInt8
from torch import Tensor

from ditta_adapt.config import SecondLook
from ditta_adapt.domain.source_clips import LabelledFrame, nearest
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import FrameLike, frame_to_tensor
from ditta_adapt.models.forward import decode_checked, encode_frame
from ditta_adapt.models.second_look import second_look
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.safety.agreement import agreement


@dataclass(frozen=True, slots=True)
class _Judged:
    """A frame, its labels by the image model, and what these are compared with."""

    frame: UInt8[Tensor, "3 H W"]
    plain: Integer[Tensor, "h w"]
    reference: Integer[Tensor, "h w"]


class HeldOut:
    r"""Compares an adapted model with the image model on frames that neither learned from.

    .. math:: g_v = mean_{t \in v} (a(y_t) - a(y^0_t))

    with the `agreement` `a` of the labels of the adapted and of the plain model with a reference:
    what the plain one says of the frame at other sizes, or what is true.

    Args:
        videos: frames of each, with their references; made by `by_looks` and `by_labels`.
        num_classes: of the model.
    """

    def __init__(self, videos: Sequence[Sequence[_Judged]], num_classes: int) -> None:
        self._videos, self._classes = videos, num_classes

    @classmethod
    def by_looks(
        cls,
        source: Segmenter,
        videos: Sequence[Sequence[FrameLike]],
        frames: int,
        look: SecondLook,
    ) -> "HeldOut":
        """Against second looks of the image model.

        Args:
            source: the image model with its pre-trained weights.
            videos: that are held out.
            frames: of each, spread evenly.
            look: at which sizes a second look is.

        Raises:
            InputError: a video has no frame; or the model can be shown frames at no other size, so
                that nothing could be judged.
        """
        judged: list[list[_Judged]] = []
        for number, video in enumerate(videos):
            chosen = np.unique(np.linspace(0, len(video) - 1, frames).round().astype(int))
            judged.append([_seen(source, video[int(t)], number, look) for t in chosen])
        return cls(judged, source.num_classes)

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

    def _gain(self, adapted: Segmenter, judged: _Judged) -> float:
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


def _known(source: Segmenter, labelled: LabelledFrame) -> _Judged:
    plain = _labels(source, labelled.frame).cpu()
    grid = (plain.shape[0], plain.shape[1])
    return _Judged(labelled.frame, plain, nearest(labelled.labels, grid))


def _seen(source: Segmenter, frame: FrameLike, number: int, look: SecondLook) -> _Judged:
    tensor = frame_to_tensor(frame, name=f"a frame of held-out video {number}").clone()
    with torch.no_grad():
        logits = decode_checked(source, encode_frame(source, tensor)).logits.float()
    found = second_look(source, tensor, logits, look.warmup_scales)
    if found.labels is None:
        raise InputError(
            "the model can be shown frames at no other size, so that nothing could judge what it "
            "learned. Adapt it to each video on its own."
        )
    return _Judged(tensor.cpu(), logits[0].argmax(dim=0).cpu(), found.labels.cpu())


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
