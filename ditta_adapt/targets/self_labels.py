"""Targets without a propagator: the frozen image model's own labels."""

from collections.abc import Sequence

import torch

from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.targets.targets import Targets


def self_labels(predictions: Sequence[FrozenPrediction]) -> Targets:
    """Learn what the frozen model says, frame by frame.

    For the contrastive term every class is one object, with id `class + 1`, made of all pixels the
    model gives that class. So an object keeps its id, and with it its prototype, through the video
    although nothing is tracked; connected regions would need a propagator to be followed.

    Args:
        predictions: of the frozen model, one a frame.

    Source: paper, ablation of the distillation targets. It does not say what an object is without
    them; classes as objects are ours.
    """
    labels = [prediction.labels.to(torch.int16) for prediction in predictions]
    return Targets(
        labels=labels,
        object_ids=[frame + 1 for frame in labels],
        classes={},
        learnable=True,
        source="the model's own labels",
    )
