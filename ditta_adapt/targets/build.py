"""Stage B as a whole: from the propagator and the frozen predictions to the labels to learn."""

from contextlib import ExitStack

import torch

from ditta_adapt.config import AdaptConfig, DenseVote, SelfLabels
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.dense_vote import dense_vote
from ditta_adapt.targets.mask_vote import mask_vote
from ditta_adapt.targets.self_labels import self_labels
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.tracking import track_objects
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import open_session, open_warper
from ditta_adapt.teachers.propagator import Propagator


def build_targets(
    propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
) -> Targets:
    """The default `TargetBuilder`: what `config.targets` asks for.

    `DenseVote` and `MaskVote` run the propagator over the warm-up; `SelfLabels` and None leave it
    closed.

    Args:
        propagator: what follows objects, or warps maps, through the video.
        warm_up: the frames and the frozen model's view of them.
        config: with `targets` decided: not `"auto"`.
        progress: called along the way.

    Raises:
        PropagationError: the propagator raised or broke its contract.
    """
    options = config.targets
    # Decided in `resolve`, and short forms are written out by the configuration itself.
    assert not isinstance(options, str)
    if options is None:
        return Targets([], [], {}, False, "there are no targets")
    if isinstance(options, SelfLabels):
        return self_labels(warm_up.predictions)
    with torch.no_grad(), ExitStack() as stack:
        if isinstance(options, DenseVote):
            session = stack.enter_context(open_warper(propagator, warm_up.video))
            return dense_vote(
                session,
                warm_up.teaching_logits,
                warm_up.frames,
                options,
                progress,
                plain=warm_up.grid_logits,
            )
        forward = stack.enter_context(open_session(propagator, warm_up.video))
        # While the first is open, so that the two can share what depends on frames alone.
        backward = stack.enter_context(open_session(propagator, warm_up.video))
        predictions = warm_up.predictions
        tracks = track_objects(forward, backward, warm_up.size, predictions, options, progress)
        return mask_vote(tracks, predictions, warm_up.segmenter.num_classes, options, progress)
