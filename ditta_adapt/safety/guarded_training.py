"""Stage C with its checks: what is learned from targets, if it is safe."""

from dataclasses import dataclass, replace

from ditta_adapt.config import AdaptConfig
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.safety.acceptance import Verdict, judge_targets, roll_back
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.training.student import Student, copy_of_weights, interpolate
from ditta_adapt.training.train import train_student


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of the targets.

    Attributes:
        student: adapted, or with pre-trained weights.
        losses: of every step, by name; empty if nothing was trained.
        verdict: none if there was nothing to decide.
    """

    student: Student
    losses: list[dict[str, float]]
    verdict: Verdict | None = None

    @property
    def adapted(self) -> bool:
        """Whether the student has other weights than the image model."""
        return bool(self.losses) and (self.verdict is None or self.verdict.kept > 0)


def learn(
    segmenter: Segmenter,
    frozen: Student,
    warm_up: WarmUp,
    targets: Targets,
    config: AdaptConfig,
    progress: ProgressCallback,
) -> Learned:
    """Train a student on the targets, unless they or what came of them look unsafe.

    Args:
        segmenter: the image model.
        frozen: a student with its weights.
        warm_up: the frames and the frozen model's view of them.
        targets: what to learn.
        config: with `addon` decided; `accept="always"` leaves all checks out.
        progress: called after every step.

    Raises:
        AdaptationError: a loss is not finite.
        ConfigError: a contrastive loss is asked for, and the targets name no objects.
    """
    unchanged = replace(frozen, carries=config.addon == "carried")
    if not targets.learnable:
        return Learned(unchanged, [])
    verdict: Verdict | None = None
    if config.accept == "checked":
        verdict = judge_targets(targets, warm_up.grid_logits, len(warm_up.frames))
        if verdict.kept == 0:
            return Learned(unchanged, [], verdict)
    student = Student.create(segmenter, config, num_frames=len(warm_up.frames))
    losses = train_student(
        student, warm_up.encodings, targets, warm_up.grid_logits, config, progress
    )
    student = replace(student, projection=None)
    if config.adapted_share < 1:
        interpolate(student, frozen, copy_of_weights(student), config.adapted_share)
    if verdict is not None:
        student, verdict = roll_back(
            student, frozen, warm_up.encodings, warm_up.grid_logits, verdict
        )
    return Learned(student, losses, verdict)
