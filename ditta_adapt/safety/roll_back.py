"""After training: keep as much of an adaptation as is safe."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ditta_adapt.models.encodings import FrameCache
from ditta_adapt.models.segmenter import Encoded
from ditta_adapt.safety.disagreement import logits_disagreement
from ditta_adapt.safety.verdict import Verdict
from ditta_adapt.training.changes import copy_of_weights, interpolate
from ditta_adapt.training.student import Student


def roll_back(
    student: Student,
    frozen: Student,
    encodings: FrameCache[Encoded],
    logits: Callable[[int], Tensor],
    verdict: Verdict,
    fractions: Sequence[float] = (1.0, 0.5, 0.25),
) -> tuple[Student, Verdict]:
    r"""Keep the first fraction of an adaptation that changes no more than is safe.

    The adapted model may change, of what the frozen one is sure of, no more than that changes by
    itself: `change <= temporal inconsistency`. If it changes more, the weights go back towards the
    pre-trained ones, in the end all of the way.

    Args:
        student: adapted; its weights are moved.
        frozen: the same model with pre-trained weights.
        encodings: of the warm-up frames.
        logits: of the frozen model on a frame, `(1, C, h, w)` on its grid.
        verdict: on the targets.
        fractions: see `Checks.kept_fractions`.

    Returns:
        The student, or one with pre-trained weights; and what was decided.
    """
    adapted = copy_of_weights(student)
    limit, change = verdict.temporal_inconsistency, 0.0
    for fraction in fractions:
        interpolate(student, frozen, adapted, fraction)
        change = _change(student, encodings, logits)
        if change <= limit:
            shown = f"kept to {fraction:.0%}, as it changed too much"
            reason = "kept" if fraction == 1 else shown
            return student, replace(verdict, kept_fraction=fraction, reason=reason, change=change)
    reason = (
        f"undone: even {fractions[-1]:.0%} of it changes {change:.2%} of what the model is sure "
        f"of, and its own labels change by only {limit:.2%} from frame to frame"
    )
    return frozen, replace(verdict, kept_fraction=0.0, reason=reason, change=0.0)


def _change(
    student: Student, encodings: FrameCache[Encoded], logits: Callable[[int], Tensor]
) -> float:
    changed = sure = 0.0
    with torch.no_grad():
        for t in range(len(encodings)):
            part, whole = logits_disagreement(student.decode(encodings[t]).logits, logits(t))
            changed, sure = changed + float(part), sure + float(whole)
    return changed / sure
