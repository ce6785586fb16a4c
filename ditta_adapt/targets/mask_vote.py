"""Stage B, second half: give every tracked object a class and paint the labels to learn from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int16, Int64, Integer
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.ops.vote_margin import vote_trust
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.scoring import ClassVote
from ditta_adapt.targets.tracking import Tracks
from ditta_adapt.teachers.propagator import Masks

IGNORE = -1
"""Label of pixels that teach nothing; negative, so that it is no class whatever `C` is."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the student learns from, frame by frame.

    Attributes:
        labels: per frame `(H, W)` int16, a class or `IGNORE`, at frame size or on any coarser grid
            over the frame.
        object_ids: per frame `(H, W)`, the object on top at each pixel, 0 = none. Empty where no
            objects were followed.
        classes: how many objects got each class, by class.
        learnable: whether there is anything to learn from.
        source: in plain words, where the labels come from, or why there is nothing to learn.
        confidence: per frame, on the grid of the labels, how far each is trusted, in [0, 1]: the
            rest of its weight goes to the frozen model's own distribution. Empty: trusted fully.
    """

    labels: list[Int16[Tensor, "H W"]]
    object_ids: list[Integer[Tensor, "H W"]]
    classes: dict[int, int]
    learnable: bool
    source: str
    confidence: list[Float[Tensor, "H W"]] = field(default_factory=list)


def mask_targets(
    tracks: Tracks,
    predictions: Sequence[FrozenPrediction],
    num_classes: int,
    config: AdaptConfig,
    progress: ProgressCallback,
) -> Targets:
    """Vote a class for every object over the whole warm-up, then paint every frame.

    The label is the winning class inside masks; outside, and in masks in which no class scores
    above 0, it is the frozen model's own or `IGNORE`, by `config.fill`.

    With `config.anchored` a label is trusted as far as its mask is of one class, see `vote_trust`,
    and not at all outside of masks.

    Source: paper, Eq. 4 and 5; trust is ours.
    """
    total = 2 * len(predictions)
    vote = ClassVote(num_classes)
    for t, (packed, prediction) in enumerate(zip(tracks.frames, predictions, strict=True)):
        masks = packed.unpack()
        vote.add(masks.object_ids, masks.masks, prediction.labels, prediction.reliability)
        progress(Progress("targets", t + 1, total))
    scores = vote.scores(area_weight=config.area_weight, rarity_weight=config.rarity_weight)

    trust = torch.zeros(tracks.num_objects + 1)
    for object_id, row in vote.scores(area_weight=1, rarity_weight=0).items():
        trust[object_id] = vote_trust(row)
    best = torch.zeros(tracks.num_objects + 1, dtype=torch.float64)
    winner = torch.full((tracks.num_objects + 1,), IGNORE, dtype=torch.int16)
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
        if config.fill == "iss":
            painted = torch.where(painted == IGNORE, prediction.labels.to(torch.int16), painted)
        labels.append(painted)
        object_ids.append(ids.to(dtype))
        if config.anchored:
            confidence.append(trust[ids])
        progress(Progress("targets", len(predictions) + t + 1, total))
    classes = Counter(winner[winner != IGNORE].tolist())
    if classes:
        count = classes.total()
        source = f"{count} tracked object{'' if count == 1 else 's'}"
    elif tracks.num_objects == 0:
        source = "no pixel was reliable enough to prompt the teacher"
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
    canvas = torch.zeros(masks.masks.shape[1:], dtype=torch.int64)
    order = sorted(range(len(ids)), key=lambda index: (float(scores[index]), int(ids[index])))
    for index in order:
        if scores[index] > 0:
            canvas[masks.masks[index].cpu()] = ids[index]
    return canvas
