"""What a clip teaches: labels by the teacher, a step of the student a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.config import CacheBudget, DomainConfig, SecondLook
from ditta_adapt.domain.label_quality import LabelQuality
from ditta_adapt.domain.sampling import RareClasses
from ditta_adapt.domain.steps import StudentSteps
from ditta_adapt.io.frames import FrameLike, frames_to_tensors
from ditta_adapt.models.parameters import adaptable_state
from ditta_adapt.progress import silent
from ditta_adapt.safety.resolution import resolve
from ditta_adapt.targets.builder import TargetBuilder, check_targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.student import Student


@dataclass(frozen=True, slots=True)
class Learned:
    """What came of a clip.

    Attributes:
        loss: mean of its steps; 0 if there was nothing to learn.
        changed: share of pixels whose label is not the teacher's own.
    """

    loss: float
    changed: float


class Lesson:
    """A student and its teacher, clip after clip.

    Args:
        student: is trained; in eval mode.
        steps: of the student.
        propagator: warps votes, or follows objects.
        build_targets: labels a clip, which the teacher has seen.
        config: of all of it.
        classes: is told the labels of every clip.

    Attributes:
        teacher: with the student's weights of the past.
        nothing: in plain words, why there was nothing to learn from the last such clip.
    """

    def __init__(
        self,
        student: Student,
        steps: StudentSteps,
        propagator: Propagator,
        build_targets: TargetBuilder,
        config: DomainConfig,
        classes: RareClasses,
    ) -> None:
        self.teacher = student.clone()
        self.nothing = ""
        self._student, self._steps, self._propagator = student, steps, propagator
        self._build_targets, self._config, self._classes = build_targets, config, classes

    @property
    def steps(self) -> int:
        """Of the student so far."""
        return self._steps.taken

    def learn(
        self,
        video: int,
        clip: Sequence[FrameLike],
        truth: Sequence[np.ndarray | None],
        quality: LabelQuality,
        look: SecondLook | None,
    ) -> Learned:
        """Learn a clip of a video.

        Args:
            video: which one.
            clip: its frames.
            truth: what is true of each, or none; it teaches nothing.
            quality: is told it, and the labels.
            look: at which sizes the teacher looks, too; none: at the usual one alone.

        Raises:
            InputError: targets, or labels of the source, that do not fit.
        """
        frames = frames_to_tensors(clip)
        normalizer = self._config.adapt.reliability_normalizer
        warm_up = WarmUp.from_frames(
            self.teacher.segmenter, frames, silent, normalizer=normalizer, budget=CacheBudget()
        )
        if look is not None:
            warm_up = warm_up.looking(look)
        with resolve(self._config.adapt, self._propagator, warm_up) as resolution:
            targets = self._build_targets(self._propagator, warm_up, resolution.config, silent)
            check_targets(targets, warm_up)
        self._classes.visit(video)
        if not targets.learnable:
            self.nothing = "; ".join(filter(None, (targets.source, resolution.note)))
            return Learned(0.0, 0.0)
        self._classes.saw(video, [each.long() for each in targets.labels])
        own = [warm_up.grid_logits(t)[0].argmax(dim=0).cpu() for t in range(len(frames))]
        for before, labels, true in zip(own, targets.labels, truth, strict=True):
            quality.add(before, labels, true)
        loss = self._steps.take(warm_up, targets)
        self.teacher.ema_update(self._student, self._config.ema_rate)
        return Learned(loss, _changed(targets.labels, own))

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next clip depends on, by name, not cloned."""
        tensors = self._steps.state()
        for name, student in (("student", self._student), ("teacher", self.teacher)):
            own = adaptable_state(student.segmenter)
            tensors |= {f"{name}.{key}": tensor for key, tensor in own.items()}
        return tensors

    def load(self, tensors: Mapping[str, Tensor], steps: int, nothing: str) -> None:
        """Go on from what `state` gave, after so many steps."""
        with torch.no_grad():
            for name, student in (("student", self._student), ("teacher", self.teacher)):
                for key, tensor in adaptable_state(student.segmenter).items():
                    tensor.copy_(tensors[f"{name}.{key}"])
        self._steps.load(tensors, steps)
        self.nothing = nothing


def _changed(labels: Sequence[Tensor], own: Sequence[Tensor]) -> float:
    """Mean share of labels that are not the teacher's own; 0 where grids differ."""
    changed = [
        float((given.long().cpu() != plain).float().mean())
        for given, plain in zip(labels, own, strict=True)
        if given.shape == plain.shape
    ]
    return float(np.mean(changed or [0.0]))
