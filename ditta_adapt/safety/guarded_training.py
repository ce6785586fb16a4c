"""Stage C with its checks: what is learned from targets, if it is safe."""

from dataclasses import dataclass, replace

from ditta_adapt.config import AdaptConfig, Anchored, Checks
from ditta_adapt.models.caller_state import without_autocast
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.safety.roll_back import roll_back
from ditta_adapt.safety.streaming_precision import in_models_precision
from ditta_adapt.safety.target_check import check_targets_against_model
from ditta_adapt.safety.verdict import Verdict
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.training.changes import (
    buffers_kept,
    check_finite,
    copy_of_weights,
    interpolate,
)
from ditta_adapt.training.student import Student
from ditta_adapt.training.train import train_student


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of the targets.

    Attributes:
        student: adapted, or with pre-trained weights.
        losses: of every step, by name; empty if nothing was trained.
        verdict: none if there was nothing to decide.
        note: in plain words, what else there is to say of the student, or `""`.
    """

    student: Student
    losses: list[dict[str, float]]
    verdict: Verdict | None = None
    note: str = ""

    @property
    def adapted(self) -> bool:
        """Whether the student has other weights than the image model."""
        return bool(self.losses) and (self.verdict is None or self.verdict.kept_fraction > 0)


def guarded_training(
    segmenter: Segmenter,
    frozen: Student,
    warm_up: WarmUp,
    targets: Targets,
    config: AdaptConfig,
    progress: ProgressCallback,
) -> Trained:
    """Train a student on the targets, unless they or what came of them look unsafe.

    Args:
        segmenter: the image model.
        frozen: a student with its weights.
        warm_up: the frames and the frozen model's view of them.
        targets: what to learn.
        config: with `memory` decided; `safety=None` leaves all checks out. Where there are second
            looks, these decide, while streaming, what is used of what was learned; see `Judge`.
        progress: called after every step.

    Raises:
        AdaptationError: a loss or a trained weight is not finite, or no gradient reaches what is
            trained.
        ConfigError: a contrastive loss is asked for, and the targets name no objects.
    """
    if not targets.learnable:
        return Trained(frozen, [])
    checks = config.safety
    assert not isinstance(checks, str)  # Short forms are written out by the configuration itself.
    if not isinstance(config.training.distillation, Anchored):
        targets = replace(targets, confidence=[])
    logits, encodings = warm_up.grid_logits, warm_up.encodings
    verdict: Verdict | None = None
    if isinstance(checks, Checks):
        verdict = check_targets_against_model(
            targets, logits, len(warm_up.frames), limit=checks.confident_disagreement
        )
        if warm_up.looks is not None:
            verdict = replace(verdict, kept_fraction=1.0, reason="second looks decide what is used")
        if verdict.kept_fraction == 0:
            return Trained(frozen, [], verdict)
    with without_autocast(device_of(segmenter)):
        student = Student.create(segmenter, config, num_frames=len(warm_up.frames))
        with buffers_kept(student):
            log = train_student(student, encodings, targets, logits, config, progress)
        check_finite(student, frozen)
        student = replace(student, projection=None)
        share = config.training.adapted_share
        if share < 1:
            interpolate(student, frozen, copy_of_weights(student), share)
        if checks is not None and verdict is not None and warm_up.looks is None:
            fractions = checks.kept_fractions
            student, verdict = roll_back(student, frozen, encodings, logits, verdict, fractions)
    if student is frozen:
        return Trained(frozen, log.losses, verdict, log.note)
    student, precision = in_models_precision(student, segmenter, encodings)
    return Trained(student, log.losses, verdict, "; ".join(filter(None, (log.note, precision))))
