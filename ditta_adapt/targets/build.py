"""Stage B as a whole: from the teacher and the frozen predictions to the labels to learn."""

from contextlib import ExitStack
from dataclasses import replace

import torch

from ditta_adapt.config import AdaptConfig
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.dense_vote import dense_targets
from ditta_adapt.targets.mask_vote import mask_targets
from ditta_adapt.targets.self_labels import self_labels
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.tracking import track_objects
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import propagator_errors
from ditta_adapt.teachers.propagator import DenseWarper, Propagator


def teach(
    propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> Targets:
    """The default `TargetBuilder`: run the teacher over the warm-up, turn what it says into labels.

    With `config.targets = "auto"`, a teacher that can warp dense maps carries the frozen model's
    own votes; any other, and every teacher with `"masks"`, follows prompted objects. `"self"` and
    `"none"` leave the teacher closed.

    Raises:
        PropagationError: the teacher raised or broke its contract.
    """
    if config.targets == "none":
        return Targets([], [], {}, False, "the configuration asks for no targets")
    if config.targets == "self":
        return self_labels(warm_up.predictions)
    with torch.no_grad(), ExitStack() as stack:
        with propagator_errors("open"):
            session = stack.enter_context(propagator.open(warm_up.video))
        if config.targets == "auto" and isinstance(session, DenseWarper):
            targets = dense_targets(
                session,
                warm_up.grid_logits,
                warm_up.frames,
                decay=config.vote_decay,
                tolerance=config.photometric_tolerance,
                progress=progress,
            )
            return targets if config.anchored else replace(targets, confidence=[])
        with propagator_errors("open"):
            # While the first is open, so that the two can share what depends on frames alone.
            second = stack.enter_context(propagator.open(warm_up.video))
        predictions = warm_up.predictions
        tracks = track_objects(session, second, warm_up.frames, predictions, config, progress)
        return mask_targets(tracks, predictions, warm_up.segmenter.num_classes, config, progress)
