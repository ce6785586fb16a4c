"""Is an adaptation to be kept? Decided without labels and without trusting the teacher."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from ditta_adapt.models.encodings import EncodingCache
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.ops.soft_votes import absolute_reliability
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.training.student import Student, copy_of_weights, interpolate

CONTRADICTION = 0.3
"""Targets may contradict the frozen model by at most this share of what it contradicts itself."""

SHARES = (1.0, 0.5, 0.25)
"""Of the adaptation, to be kept: the first that is safe."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about an adaptation.

    Attributes:
        kept: how much of the adaptation is kept: all (1), some, or nothing (0).
        reason: in plain words.
        flicker: share of what the frozen model is sure of that it says otherwise one frame later;
            0 with a single frame.
        contradiction: share of what it is sure of that the targets say otherwise.
        change: share of what it is sure of that the adapted model, as kept, says otherwise.
    """

    kept: float
    reason: str
    flicker: float
    contradiction: float
    change: float = 0.0


def disagreement(
    labels: Integer[Tensor, "H W"], others: Integer[Tensor, "H W"], weight: Float[Tensor, "H W"]
) -> tuple[float, float]:
    r"""How much of a weight lies where two label maps differ, and all of the weight.

    .. math:: \sum_x w(x)\, [y(x) \ne y'(x)], \qquad \sum_x w(x)
    """
    weight = weight.double()
    return float((weight * (labels != others)).sum()), float(weight.sum())


def judge_targets(
    targets: Targets, logits: Callable[[int], Float[Tensor, "1 C h w"]], num_frames: int
) -> Verdict:
    r"""Refuse targets that contradict what the frozen model is sure of.

    .. math:: contradiction = \frac{\sum_{t,x} R\, m\, [y \ne y_0]}{\sum_{t,x} R}
              \le 0.3\; flicker, \qquad
              flicker = \frac{\sum_{t>0,x} R_t\, [y_{0,t} \ne y_{0,t-1}]}{\sum_{t>0,x} R_t}

    with the frozen model's labels `y_0` and reliability `R` (normalised by `ln C`), and the
    targets' labels `y` and confidence `m`. Adaptation is there to end the model's disagreement
    with itself, and that disagreement is its yardstick: targets of a teacher that works stay well
    below it, since they change what the model is unsure of; wrong masks or classes do not.

    Args:
        targets: what would be learned.
        logits: of the frozen model on a frame, on its grid.
        num_frames: of the warm-up.

    Returns:
        A verdict that keeps all (1) or nothing (0).
    """
    self_denied = self_sure = denied = sure = 0.0
    before: Tensor | None = None
    for t in range(num_frames):
        scores = logits(t)
        own, weight = scores[0].argmax(dim=0), absolute_reliability(scores)
        if before is not None:
            part, whole = disagreement(own, before, weight)
            self_denied, self_sure = self_denied + part, self_sure + whole
        before = own
        part, whole = _contradiction(targets, t, scores)
        denied, sure = denied + part, sure + whole
    # A single frame has nothing to disagree with: then nothing may be contradicted.
    flicker = self_denied / self_sure if self_sure else 0.0
    contradiction = denied / sure
    if contradiction <= CONTRADICTION * flicker:
        return Verdict(1.0, "kept", flicker, contradiction)
    reason = (
        f"the targets contradict {contradiction:.2%} of what the model is sure of; at most "
        f"{CONTRADICTION * flicker:.2%} is safe, since its own labels change by {flicker:.2%} from "
        "frame to frame"
    )
    return Verdict(0.0, reason, flicker, contradiction)


def roll_back(
    student: Student,
    frozen: Student,
    encodings: EncodingCache,
    logits: Callable[[int], Float[Tensor, "1 C h w"]],
    verdict: Verdict,
) -> tuple[Student, Verdict]:
    r"""Keep as much of an adaptation as is safe.

    The adapted model may change, of what the frozen one is sure of, no more than that changes by
    itself: `change <= flicker`. If it changes more, the weights go back half of the way towards
    the pre-trained ones, three quarters, or all of it.

    Args:
        student: adapted; its weights are moved.
        frozen: the same model with pre-trained weights.
        encodings: of the warm-up frames.
        logits: of the frozen model on a frame.
        verdict: on the targets.

    Returns:
        The student, or one with pre-trained weights; and what was decided.
    """
    adapted = copy_of_weights(student)
    change = 0.0
    for share in SHARES:
        interpolate(student, frozen, adapted, share)
        change = _change(student, encodings, logits)
        if change <= verdict.flicker:
            reason = "kept" if share == 1 else f"kept to {share:.0%}, as it changed too much"
            return student, replace(verdict, kept=share, reason=reason, change=change)
    reason = (
        f"undone: even {SHARES[-1]:.0%} of it changes {change:.2%} of what the model is sure of, "
        f"and its own labels change by only {verdict.flicker:.2%} from frame to frame"
    )
    kept = replace(frozen, carries=student.carries)
    return kept, replace(verdict, kept=0.0, reason=reason, change=0.0)


def change_of(logits: Float[Tensor, "1 C h w"], frozen: Float[Tensor, "1 C h w"]) -> float:
    """Share of what a frozen model is sure of in one frame that other logits say otherwise."""
    part, whole = disagreement(_labels(logits), _labels(frozen), absolute_reliability(frozen))
    return part / whole


def _contradiction(
    targets: Targets, t: int, scores: Float[Tensor, "1 C h w"]
) -> tuple[float, float]:
    labels = targets.labels[t].to(scores.device).long()
    resized = resize_logits(scores, (labels.shape[0], labels.shape[1]))
    weight = absolute_reliability(resized)
    trusted = (labels != IGNORE).to(weight)
    if targets.confidence:
        trusted = trusted * targets.confidence[t].to(weight)
    part, _ = disagreement(labels, resized[0].argmax(dim=0), weight * trusted)
    return part, float(weight.double().sum())


def _change(
    student: Student,
    encodings: EncodingCache,
    logits: Callable[[int], Float[Tensor, "1 C h w"]],
) -> float:
    changed = sure = 0.0
    with torch.no_grad():
        for t in range(len(encodings)):
            scores = logits(t)
            new = _labels(student.segmenter.decode(encodings[t]).logits)
            part, whole = disagreement(new, _labels(scores), absolute_reliability(scores))
            changed, sure = changed + part, sure + whole
    return changed / sure


def _labels(logits: Float[Tensor, "1 C h w"]) -> Int64[Tensor, "h w"]:
    return logits[0].argmax(dim=0)
