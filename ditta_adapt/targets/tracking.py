"""Stage B, first half: prompt the propagator and follow every object both ways."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ditta_adapt.config import MaskVote
from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.targets.prompts import make_prompts, select_points
from ditta_adapt.teachers.checked_calls import check_masks, propagator_errors
from ditta_adapt.teachers.packed_masks import PackedMasks
from ditta_adapt.teachers.propagator import Masks, PropagationSession

Points = dict[int, list[tuple[int, tuple[int, int]]]]
"""By frame: the objects prompted there, as `(object id, point)`."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Every object's mask in every warm-up frame, packed.

    Attributes:
        num_objects: objects have the ids `1..num_objects`.
        frames: per frame, the masks of all objects the propagator has there, ordered by id.
    """

    num_objects: int
    frames: list[PackedMasks]


def track_objects(
    forward: PropagationSession,
    backward: PropagationSession,
    size: tuple[int, int],
    predictions: Sequence[FrozenPrediction],
    options: MaskVote,
    progress: ProgressCallback,
) -> Tracks:
    """Prompt objects frame by frame, follow them forward, then replay the prompts backward.

    An object's mask comes from the forward pass in the frame where it was prompted and after it,
    and from the backward pass before it; the two passes never speak of the same frame, so their
    union needs no rule for overlaps.

    Args:
        forward: a fresh session of the propagator on the warm-up.
        backward: a second one.
        size: `(H, W)` of the frames.
        predictions: of the frozen model, one a frame.
        options: which objects are prompted.
        progress: called once per frame and direction.

    Raises:
        PropagationError: the propagator raised, or returned masks that break its contract.

    Source: paper, section on spatio-temporal masks; released program.
    """
    points, packed = _forward(forward, size, predictions, options, progress)
    return _backward(backward, size, predictions, points, packed, progress)


def _forward(
    session: PropagationSession,
    size: tuple[int, int],
    predictions: Sequence[FrozenPrediction],
    options: MaskVote,
    progress: ProgressCallback,
) -> tuple[Points, list[PackedMasks]]:
    masks = Masks(
        torch.zeros(0, dtype=torch.int64, device="cpu"),
        torch.zeros(0, *size, dtype=torch.bool, device="cpu"),
    )
    ids: list[int] = []
    points: Points = {}
    packed: list[PackedMasks] = []
    for t, prediction in enumerate(predictions):
        if ids:
            with propagator_errors(f"propagate({t - 1}, {t})"):
                masks = session.propagate(t - 1, t)
            check_masks(masks, ids, size, f"propagate({t - 1}, {t})")
        chosen = select_points(
            prediction.labels,
            prediction.reliability,
            masks.masks.cpu(),
            threshold=options.prompt_threshold,
            dilation=options.prompt_dilation,
            limit=options.max_objects - len(ids),
        )
        if chosen:
            prompts = make_prompts(prediction.labels, chosen, first_id=len(ids) + 1)
            points[t] = [(prompt.object_id, prompt.point) for prompt in prompts]
            ids += [prompt.object_id for prompt in prompts]
            with propagator_errors(f"prompt({t}, ...)"):
                masks = session.prompt(t, prompts)
            check_masks(masks, ids, size, f"prompt({t}, ...)")
        packed.append(PackedMasks.pack(masks))
        progress(Progress("track", t + 1, 2 * len(predictions)))
    return points, packed


def _backward(
    session: PropagationSession,
    size: tuple[int, int],
    predictions: Sequence[FrozenPrediction],
    points: Points,
    packed: list[PackedMasks],
    progress: ProgressCallback,
) -> Tracks:
    ids: list[int] = []
    merged = list(packed)
    last = max(points, default=0)
    for t in range(last, -1, -1):
        if ids:
            with propagator_errors(f"propagate({t + 1}, {t})"):
                masks = session.propagate(t + 1, t)
            check_masks(masks, ids, size, f"propagate({t + 1}, {t})")
            merged[t] = packed[t].join(PackedMasks.pack(masks))
        if t in points and t > 0:
            first_id = points[t][0][0]
            chosen = [point for _, point in points[t]]
            prompts = make_prompts(predictions[t].labels, chosen, first_id)
            ids += [prompt.object_id for prompt in prompts]
            with propagator_errors(f"prompt({t}, ...)"):
                masks = session.prompt(t, prompts)
            check_masks(masks, ids, size, f"prompt({t}, ...)")
        progress(Progress("track", len(predictions) + last - t + 1, 2 * len(predictions)))
    return Tracks(num_objects=sum(map(len, points.values())), frames=merged)
