"""J & F: how well tracked objects match, in region and in contour."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.metrics.contours import contours, dilated
from ditta_adapt.metrics.labels import Labels, frame_pairs

VOID = 255
TOLERANCE = 0.008


class ObjectScores(NamedTuple):
    """One object's `J` and `F`, frame by frame."""

    j: list[float]
    f: list[float]


class Summary(NamedTuple):
    """Means over objects."""

    mean: float
    """of each object's mean over its frames."""
    recall: float
    """of each object's share of frames with a score above 0.5."""
    decay: float
    """of each object's first quarter of frames minus its last quarter."""


class JAndF:
    r"""Region similarity `J` and contour accuracy `F` of tracked objects.

    The first and the last frame of a video are left out. A frame gives every object a `J` and an
    `F` (see `region_similarity` and `contour_accuracy`); they are averaged over the object's
    frames, then over all objects of all videos. Attribute `scores` has the frames' scores of
    every object; put back with `add_scores`, they pool to the same values.

    The quarters of the decay are the official ones, which share their border frames. Their bounds
    are whole numbers of any size here; the official program keeps them in eight bits, and so has
    other, wrong ones for videos of more than 255 frames.

    Source: the DAVIS-2017 evaluator, semi-supervised task.
    """

    def __init__(self) -> None:
        self.scores: list[ObjectScores] = []

    def add_video(
        self, preds: Iterable[Labels], targets: Iterable[Labels], *, late: bool = False
    ) -> list[int]:
        """Add one video: maps `(H, W)` of object ids frame by frame, 0 = background.

        The objects are those in the first frame's target. One that is not in a frame's map has an
        empty mask there. Of the targets, 255 and ids that are not in the first frame count as
        background. A video of fewer than three frames, or one that is refused, adds nothing.

        Args:
            preds: what was found.
            targets: what is true; of a video that is annotated now and then, those frames alone.
            late: whether ids of later frames are objects, too. Such a one counts in the frames
                after its own first one, in which its mask was given.

        Returns:
            The ids of the objects that were added, in the order of `scores`.

        Raises:
            ShapeError: a frame whose maps differ in size from each other or from the first.
            InputError: one of the two has more frames than the other; or a prediction, in a frame
                that counts, with an id that is neither 0 nor one of the objects so far.
        """
        frames = frame_pairs(preds, targets)
        _, opening = next(frames, (None, None))
        if opening is None:
            return []
        ids = _objects(opening)
        found: dict[int, ObjectScores] = {}
        # In pairs, so that the last frame is left out without knowing how many there are.
        for t, ((prediction, truth), _) in enumerate(pairwise(frames), start=1):
            new = _objects(truth)
            new = new[~torch.isin(new, ids)] if late else new[:0]
            _check_ids(prediction, torch.cat([ids, new]), t)
            pred, target = (labels == ids[:, None, None] for labels in (prediction, truth))
            j, f = region_similarity(pred, target), contour_accuracy(pred, target)
            for number, *pair in zip(ids.tolist(), j.tolist(), f.tolist(), strict=True):
                for scores, score in zip(
                    found.setdefault(number, ObjectScores([], [])), pair, strict=True
                ):
                    scores.append(score)
            ids = torch.cat([ids, new])
        self.scores += found.values()
        return list(found)

    def add_scores(self, j: Sequence[float], f: Sequence[float]) -> None:
        """Add one object by its stored scores, frame by frame.

        Raises:
            InputError: no frame, not as many of the one as of the other, or a score outside [0, 1].
        """
        if not j or len(j) != len(f):
            raise InputError(
                f"j has {len(j)} scores and f {len(f)}; expected one a frame of each, and at "
                "least one."
            )
        for score in (*j, *f):
            if not 0 <= score <= 1:
                raise InputError(f"a frame's score is {score}; expected one in [0, 1].")
        self.scores.append(ObjectScores(list(j), list(f)))

    def j(self) -> Summary:
        """Region similarity; NaN if there is no object. The decay lies in [-1, 1]."""
        return _summary([scores.j for scores in self.scores])

    def f(self) -> Summary:
        """Contour accuracy; NaN if there is no object. The decay lies in [-1, 1]."""
        return _summary([scores.f for scores in self.scores])

    def value(self) -> float:
        """J & F, `(mean J + mean F) / 2` in [0, 1]; NaN if there is no object."""
        return (self.j().mean + self.f().mean) / 2


def region_similarity(
    pred: Bool[Tensor, "N H W"], target: Bool[Tensor, "N H W"]
) -> Float64[Tensor, "N"]:
    r"""IoU of masks, :math:`J = |S \cap G| / |S \cup G|`; 1 where both are empty.

    Args:
        pred: `S`, `(N, H, W)` bool.
        target: `G`, `(N, H, W)` bool, on the same device.

    Returns:
        `(N,)` float64 in [0, 1], on the CPU.

    Raises:
        ShapeError: the shapes differ or are not `(N, H, W)`, or the dtype is not bool.
    """
    _check(pred, target)
    both, either = _pixels(pred & target, pred | target)
    return torch.where(either > 0, both / either.clamp(min=1), 1.0)


def contour_accuracy(
    pred: Bool[Tensor, "N H W"], target: Bool[Tensor, "N H W"]
) -> Float64[Tensor, "N"]:
    r"""F-measure of contours, :math:`F = 2 P R / (P + R)`.

    `P` is the share of the prediction's contour that lies within `r` pixels of the target's, `R`
    the share of the target's within `r` of the prediction's, with
    :math:`r = \lceil 0.008 \sqrt{H^2 + W^2} \rceil`. Without any contour `F` is 1, with only one
    of the two it is 0. See `contours` for what a contour is: a mask of all pixels has none.

    Args:
        pred: `(N, H, W)` bool.
        target: `(N, H, W)` bool, on the same device.

    Returns:
        `(N,)` float64 in [0, 1], on the CPU.

    Raises:
        ShapeError: the shapes differ or are not `(N, H, W)`, or the dtype is not bool.
    """
    _check(pred, target)
    radius = math.ceil(TOLERANCE * math.hypot(*pred.shape[1:]))
    found, true = contours(pred), contours(target)
    found_size, true_size, found_near, true_near = _pixels(
        found, true, found & dilated(true, radius), true & dilated(found, radius)
    )
    precision = found_near / found_size.clamp(min=1)
    recall = true_near / true_size.clamp(min=1)
    total = precision + recall
    f = torch.where(total > 0, 2 * precision * recall / total.clamp(min=1e-300), 0.0)
    return torch.where(found_size + true_size > 0, f, 1.0)


def _objects(labels: Tensor) -> Tensor:
    ids = torch.unique(labels)
    objects: Tensor = ids[(ids != 0) & (ids != VOID)]
    return objects


def _check_ids(prediction: Tensor, ids: Tensor, t: int) -> None:
    extra = ~torch.isin(prediction, torch.cat([ids.new_zeros(1), ids]))
    if extra.any():
        raise InputError(
            f"frame {t}: pred has the object id {int(prediction[extra][0])}; expected 0 or an "
            f"object of the targets so far, {ids.tolist()}."
        )


def _check(pred: Tensor, target: Tensor) -> None:
    if pred.ndim != 3 or pred.shape != target.shape:
        raise ShapeError(
            f"pred has shape {tuple(pred.shape)} and target {tuple(target.shape)}; expected the "
            "same (N, H, W)."
        )
    if pred.dtype != torch.bool or target.dtype != torch.bool:
        raise ShapeError(
            f"pred has dtype {pred.dtype} and target {target.dtype}; expected torch.bool, one mask "
            "an object."
        )


def _pixels(*masks: Tensor) -> Tensor:
    """Sizes of masks, fetched from the device in one go."""
    return torch.stack([mask.sum(dim=(1, 2)) for mask in masks]).cpu().double()


def _summary(objects: Sequence[Sequence[float]]) -> Summary:
    means = [_mean(scores) for scores in objects]
    recalls = [_mean([score > 0.5 for score in scores]) for scores in objects]
    decays = [_decay(scores) for scores in objects]
    return Summary(_mean(means), _mean(recalls), _mean(decays))


def _decay(scores: Sequence[float]) -> float:
    """Mean of the first of four bins minus that of the last; bins include both their bounds."""
    # Rounded half up: the official program adds 1e-10 before it rounds.
    bounds = [math.floor((len(scores) - 1) * quarter / 4 + 0.5) for quarter in range(5)]
    return _mean(scores[: bounds[1] + 1]) - _mean(scores[bounds[3] :])


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
