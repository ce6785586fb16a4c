"""Before training: do the targets contradict the frozen model too much to be learned?"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.ops.soft_votes import absolute_reliability
from ditta_adapt.safety.disagreement import disagreement, labels_of
from ditta_adapt.safety.verdict import Verdict
from ditta_adapt.targets.targets import IGNORE, Targets


def check_targets_against_model(
    targets: Targets,
    logits: Callable[[int], Tensor],
    num_frames: int,
    *,
    limit: float = 0.3,
) -> Verdict:
    r"""Refuse targets that contradict what the frozen model is sure of.

    .. math:: disagreement = \frac{\sum_{t,x} R\, m\, [y \ne y_0]}{\sum_{t,x} R}
              \le limit \cdot inconsistency, \qquad
              inconsistency = \frac{\sum_{t>0,x} R_t\, [y_{0,t} \ne y_{0,t-1}]}{\sum_{t>0,x} R_t}

    with the frozen model's labels `y_0` and reliability `R` (normalised by `ln C`), and the
    targets' labels `y` and confidence `m`. Adaptation is there to end the model's disagreement
    with itself, and that disagreement is its yardstick: targets of a propagator that works stay
    well below it, since they change what the model is unsure of; wrong masks or classes do not.

    Args:
        targets: what would be learned.
        logits: of the frozen model on a frame, `(1, C, h, w)` on its grid.
        num_frames: of the warm-up.
        limit: see `Checks.confident_disagreement`.

    Returns:
        A verdict that keeps all (1) or nothing (0).
    """
    changed = sure_before = denied = sure = 0.0
    before: Tensor | None = None
    for t in range(num_frames):
        scores = logits(t)
        own, weight = labels_of(scores), absolute_reliability(scores)
        if before is not None:
            part, whole = disagreement(own, before, weight)
            changed, sure_before = changed + float(part), sure_before + float(whole)
        before = own
        part, whole = _targets_disagreement(targets, t, scores)
        denied, sure = denied + float(part), sure + float(whole)
    # A single frame has nothing to disagree with: then nothing may be contradicted.
    inconsistency = changed / sure_before if sure_before else 0.0
    found = denied / sure
    if found <= limit * inconsistency:
        return Verdict(1.0, "kept", inconsistency, found)
    reason = (
        f"the targets contradict {found:.2%} of what the model is sure of; at most "
        f"{limit * inconsistency:.2%} is safe, since its own labels change by {inconsistency:.2%} "
        "from frame to frame"
    )
    return Verdict(0.0, reason, inconsistency, found)


def _targets_disagreement(
    targets: Targets, t: int, scores: Float[Tensor, "1 C h w"]
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    labels = targets.labels[t].to(scores.device).long()
    resized = resize_logits(scores, (labels.shape[0], labels.shape[1]))
    weight = absolute_reliability(resized)
    trusted = (labels != IGNORE).to(weight)
    if targets.confidence:
        trusted = trusted * targets.confidence[t].to(weight)
    part, _ = disagreement(labels, labels_of(resized), weight * trusted)
    return part, weight.double().sum()
