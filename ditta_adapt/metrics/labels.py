"""Label maps as metrics take them."""

from collections.abc import Iterable, Iterator
from itertools import zip_longest
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError

Labels = Tensor | np.ndarray
"""A label map: integers of any dtype, as a tensor or an array."""


def label_map(labels: Labels, name: str = "labels") -> Tensor:
    """Integer labels of any dtype and memory layout as int64, in memory of their own.

    Raises:
        InputError: not integers.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iub":
        return torch.from_numpy(labels.astype(np.int64))
    if isinstance(labels, Tensor) and not (labels.is_floating_point() or labels.is_complex()):
        return labels.to(torch.int64, copy=True)
    raise InputError(
        f"{name} are a {type(labels).__name__} of dtype {getattr(labels, 'dtype', None)}; expected "
        "an array or tensor of integers."
    )


def label_pair(pred: Labels, target: Labels, name: str = "target") -> tuple[Tensor, Tensor]:
    """Prediction and target of one shape as `label_map`s, both on the prediction's device.

    Raises:
        ShapeError: the shapes differ.
        InputError: not integers.
    """
    prediction, truth = label_map(pred), label_map(target)
    if prediction.shape != truth.shape:
        raise ShapeError(
            f"pred has shape {tuple(prediction.shape)} and {name} {tuple(truth.shape)}; "
            "expected the same."
        )
    return prediction, truth.to(prediction.device)


class VideoFrames:
    """Checks the frames of one video, one after the other."""

    def __init__(self) -> None:
        self._count = 0
        self._size: torch.Size | None = None

    def check(self, pred: Labels, target: Labels) -> tuple[Tensor, Tensor]:
        """The next frame as a `label_pair` `(H, W)`; one that is refused is not counted.

        Raises:
            ShapeError: a frame that is not `(H, W)`, or whose maps differ in size from each other
                or from those of the frames before.
            InputError: not integers.
        """
        try:
            prediction, truth = label_pair(pred, target)
        except ShapeError as error:
            raise ShapeError(f"frame {self._count}: {error}") from None
        shape = prediction.shape
        if prediction.ndim != 2:
            raise ShapeError(f"frame {self._count} has shape {tuple(shape)}; expected (H, W).")
        if shape != (self._size or shape):
            raise ShapeError(
                f"frame {self._count} has shape {tuple(shape)}; the frames before it "
                f"{tuple(self._size or ())}."
            )
        self._count, self._size = self._count + 1, shape
        return prediction, truth


def same_length(
    preds: Iterable[Labels], targets: Iterable[Labels]
) -> Iterator[tuple[Labels, Labels]]:
    """The frames of one video in pairs, unchecked.

    Raises:
        InputError: one of the two has more frames than the other.
    """
    missing: Any = object()
    for t, (pred, target) in enumerate(zip_longest(preds, targets, fillvalue=missing)):
        if pred is missing or target is missing:
            raise InputError(
                f"preds and targets differ in length: one of them has only {t} frames."
            )
        yield pred, target


def frame_pairs(
    preds: Iterable[Labels], targets: Iterable[Labels]
) -> Iterator[tuple[Tensor, Tensor]]:
    """The frames of one video as `label_pair`s `(H, W)`, one at a time.

    Raises:
        ShapeError: as `VideoFrames.check`.
        InputError: one of the two has more frames than the other, or not integers.
    """
    frames = VideoFrames()
    for pred, target in same_length(preds, targets):
        yield frames.check(pred, target)
