"""Stage B, second half: give every tracked object a class and paint the labels to learn from."""

from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.config import MaskVote
from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.ops.vote_margin import vote_margin
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.scoring import ClassVote
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.tracking import Tracks
from ditta_adapt.teachers.propagator import Masks


def mask_vote(
    tracks: Tracks,
    predictions: Sequence[FrozenPrediction],
    num_classes: int,
    options: MaskVote,
    progress: ProgressCallback,
) -> Targets:
    """Vote a class for every object over the whole warm-up, then paint every frame.

    The label is the winning class inside masks; outside, and in masks in which no class scores
    above 0, it is the frozen model's own or `IGNORE`, by `options.outside`.

    A label is trusted as far as its mask is of one class, see `vote_margin`, and not at all outside
    of masks.

    Args:
        tracks: masks of all objects, frame by frame.
        predictions: of the frozen model, one a frame.
        num_classes: `C`.
        options: exponents of the vote, and the label outside masks.
        progress: called twice a frame, as stage `"targets"`.

    Returns:
        Targets at frame size, with objects and confidence; with nothing to learn if no object has
        a class.

    Source: paper, Eq. 4 and 5; confidence is ours.
    """
    total = 2 * len(predictions)
    vote = ClassVote(num_classes)
    for t, (packed, prediction) in enumerate(zip(tracks.frames, predictions, strict=True)):
        masks = packed.unpack()
        vote.add(masks.object_ids, masks.masks, prediction.labels, prediction.reliability)
        progress(Progress("targets", t + 1, total))
    scores = vote.scores(area_weight=options.area_weight, rarity_weight=options.rarity_weight)

    trust = torch.zeros(tracks.num_objects + 1, dtype=torch.float32, device="cpu")
    for object_id, row in vote.scores(area_weight=1, rarity_weight=0).items():
        trust[object_id] = vote_margin(row)
    best = torch.zeros(tracks.num_objects + 1, dtype=torch.float64, device="cpu")
    winner = torch.full((tracks.num_objects + 1,), IGNORE, dtype=torch.int16, device="cpu")
    for object_id, row in scores.items():
        best[object_id], best_class = row.max(dim=0)
        if best[object_id] > 0:
            winner[object_id] = best_class

    dtype = torch.uint8 if tracks.num_objects < 256 else torch.int32
    labels: list[Tensor] = []
    object_ids: list[Tensor] = []
    confidence: list[Tensor] = []
    for t, (packed, prediction) in enumerate(zip(tracks.frames, predictions, strict=True)):
        ids = render(packed.unpack(), best)
        painted = winner[ids]
        if options.outside == "image_model":
            painted = torch.where(painted == IGNORE, prediction.labels.to(torch.int16), painted)
        labels.append(painted)
        object_ids.append(ids.to(dtype))
        confidence.append(trust[ids])
        progress(Progress("targets", len(predictions) + t + 1, total))
    classes = Counter(winner[winner != IGNORE].tolist())
    if classes:
        count = classes.total()
        source = f"{count} tracked object{'' if count == 1 else 's'}"
    elif tracks.num_objects == 0:
        source = "no pixel was reliable enough to prompt the propagator"
    else:
        source = f"none of {tracks.num_objects} tracked objects got a class"
    return Targets(
        labels, object_ids, dict(sorted(classes.items())), bool(classes), source, confidence
    )


def render(masks: Masks, best_scores: Float[Tensor, " ids"]) -> Int64[Tensor, "H W"]:
    """Paint object ids, the object with the higher winning score on top.

    Args:
        masks: of one frame.
        best_scores: by object id, the score of its winning class. Objects that score 0 have no
            class and are not painted.

    Returns:
        `(H, W)` int64, 0 where there is no object. Of equal scores the larger id is on top.
    """
    ids = masks.object_ids.cpu()
    scores = best_scores[ids]
    canvas = torch.zeros(masks.masks.shape[1:], dtype=torch.int64, device="cpu")
    order = sorted(range(len(ids)), key=lambda index: (float(scores[index]), int(ids[index])))
    for index in order:
        if scores[index] > 0:
            canvas[masks.masks[index].cpu()] = ids[index]
    return canvas
