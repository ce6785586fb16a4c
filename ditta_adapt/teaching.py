"""Stage B as a whole: from the teacher and the frozen predictions to the labels to learn."""

from collections.abc import Sequence
from contextlib import ExitStack

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.dense_vote import dense_targets
from ditta_adapt.encodings import EncodingCache
from ditta_adapt.predictions import FrozenPrediction, resize_logits
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.propagator import DenseTransport, Propagator
from ditta_adapt.segmenter import Segmenter
from ditta_adapt.targets import Targets, mask_targets
from ditta_adapt.tracking import blame_teacher, track_objects


def teach(
    propagator: Propagator,
    frames: Sequence[UInt8[Tensor, "3 H W"]],
    segmenter: Segmenter,
    encodings: EncodingCache,
    predictions: Sequence[FrozenPrediction],
    config: AdaptConfig,
    progress: ProgressCallback,
) -> Targets:
    """Run the teacher over the warm-up and turn what it says into labels.

    With `config.targets = "auto"`, a teacher that can carry dense maps carries the frozen model's
    own votes; any other, and every teacher with `"masks"`, follows prompted objects.

    Args:
        propagator: the teacher.
        frames: the warm-up, channels first; the teacher gets them channels last.
        segmenter: the frozen model, with the encodings of the warm-up.
        encodings: of the warm-up.
        predictions: of the frozen model.
        config: which targets, and their settings.
        progress: called along the way.

    Raises:
        PropagationError: the teacher raised or broke its contract.
    """
    size = (frames[0].shape[1], frames[0].shape[2])
    # One object for all sessions: by it a teacher knows that they can share work.
    seen = tuple(frame.permute(1, 2, 0) for frame in frames)

    def logits(t: int) -> Float[Tensor, "1 C H W"]:
        return resize_logits(segmenter.decode(encodings[t]).logits, size)

    with torch.no_grad(), ExitStack() as stack:
        with blame_teacher("open"):
            session = stack.enter_context(propagator.open(seen))
        if config.targets == "auto" and isinstance(session, DenseTransport):
            return dense_targets(
                session, logits, predictions, decay=config.vote_decay, progress=progress
            )
        with blame_teacher("open"):
            # While the first is open, so that the two can share what depends on frames alone.
            second = stack.enter_context(propagator.open(seen))
        tracks = track_objects(session, second, frames, predictions, config, progress)
        return mask_targets(tracks, predictions, segmenter.num_classes, config, progress)
