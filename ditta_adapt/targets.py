"""Stage B, second half: give every tracked object a class and paint the labels to learn from."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from ditta_adapt.config import AdaptConfig, Fill
from ditta_adapt.predictions import FrozenPrediction
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.propagator import Masks
from ditta_adapt.scoring import ClassVote
from ditta_adapt.tracking import Tracks

IGNORE = -1
"""Label of pixels that teach nothing; negative, so that it is no class whatever `C` is."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the student learns from, one frame at a time.

    Attributes:
        object_ids: per frame `(H, W)`, the object on top at each pixel, 0 = none.
        class_of_object: `(N + 1,)` int64, winning class by object id; `IGNORE` for id 0 and for
            objects in which no class scores above 0.
        fill: label outside masks.
    """

    object_ids: list[Integer[Tensor, "H W"]]
    class_of_object: Int64[Tensor, " N+1"]
    fill: Fill

    @property
    def num_objects(self) -> int:
        """Objects that have a class."""
        return int((self.class_of_object != IGNORE).sum())

    def labels(self, t: int, prediction: FrozenPrediction) -> Int64[Tensor, "H W"]:
        """Label of frame `t`: the winning class inside masks, `fill` outside."""
        labels = self.class_of_object[self.object_ids[t].long()]
        if self.fill == "iss":
            labels = torch.where(labels == IGNORE, prediction.labels.long(), labels)
        return labels


def build_targets(
    tracks: Tracks,
    predictions: Sequence[FrozenPrediction],
    num_classes: int,
    config: AdaptConfig,
    progress: ProgressCallback,
) -> Targets:
    """Vote a class for every object over the whole warm-up, then paint every frame.

    Source: paper, Eq. 4 and 5.
    """
    total = 2 * len(predictions)
    vote = ClassVote(num_classes)
    for t, (packed, prediction) in enumerate(zip(tracks.frames, predictions, strict=True)):
        masks = packed.unpack()
        vote.add(masks.object_ids, masks.masks, prediction.labels, prediction.reliability)
        progress(Progress("targets", t + 1, total))
    scores = vote.scores(area_weight=config.area_weight, rarity_weight=config.rarity_weight)

    best = torch.zeros(tracks.num_objects + 1, dtype=torch.float64)
    class_of_object = torch.full((tracks.num_objects + 1,), IGNORE)
    for object_id, row in scores.items():
        best[object_id], winner = row.max(dim=0)
        if best[object_id] > 0:
            class_of_object[object_id] = winner

    dtype = torch.uint8 if tracks.num_objects < 256 else torch.int32
    object_ids: list[Tensor] = []
    for t, packed in enumerate(tracks.frames):
        object_ids.append(render(packed.unpack(), best).to(dtype))
        progress(Progress("targets", len(predictions) + t + 1, total))
    return Targets(object_ids=object_ids, class_of_object=class_of_object, fill=config.fill)


def render(masks: Masks, best_scores: Float[Tensor, " N+1"]) -> Int64[Tensor, "H W"]:
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
    for index in scores.argsort(stable=True).tolist():
        if scores[index] > 0:
            canvas[masks.masks[index].cpu()] = ids[index]
    return canvas
