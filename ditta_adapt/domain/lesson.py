"""What a clip teaches: labels by the teacher, a step of the student a frame."""

from collections.abc import Sequence

import numpy as np
import torch

from ditta_adapt.config import CacheBudget, DomainConfig
from ditta_adapt.domain.sampling import RareClasses
from ditta_adapt.io.frames import FrameLike, frames_to_tensors
from ditta_adapt.models.encodings import FrameCache
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.progress import silent
from ditta_adapt.safety.resolution import resolve
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.balance import balanced_weights
from ditta_adapt.training.descent import Descent
from ditta_adapt.training.distillation import Distillation
from ditta_adapt.training.student import Student


class Lesson:
    """A student and its teacher, clip after clip.

    Args:
        student: is trained; in eval mode.
        propagator: warps votes, or follows objects.
        config: of all of it.
        classes: is told the labels of every clip, and balances the loss.

    Attributes:
        teacher: with the student's weights of the past.
        nothing: in plain words, why there was nothing to learn from the last such clip.
    """

    def __init__(
        self,
        student: Student,
        propagator: Propagator,
        config: DomainConfig,
        classes: RareClasses,
    ) -> None:
        self.teacher = student.clone()
        self.nothing = ""
        self._student, self._propagator = student, propagator
        self._config, self._classes = config, classes
        training, parameters = config.adapt.training, adaptable_parameters(student.segmenter)
        optimizer = torch.optim.AdamW(
            parameters,
            lr=config.learning_rate,
            betas=training.betas,
            weight_decay=training.weight_decay,
        )
        self._descent = Descent(student.segmenter, parameters, optimizer, total=0, progress=silent)

    @property
    def steps(self) -> int:
        """Of the student so far."""
        return len(self._descent.losses)

    def learn(self, video: int, clip: Sequence[FrameLike]) -> tuple[float, float]:
        """Learn a clip of a video.

        Returns:
            Mean loss of its steps, 0 if there was nothing to learn; and the share of pixels whose
            label is not the teacher's own.
        """
        config = self._config.adapt
        frames = frames_to_tensors(clip)
        normalizer = config.reliability_normalizer
        warm_up = WarmUp.from_frames(
            self.teacher.segmenter, frames, silent, normalizer=normalizer, budget=CacheBudget()
        )
        with resolve(config, self._propagator, warm_up) as resolution:
            config = resolution.config
            targets = build_targets(self._propagator, warm_up, config, silent)
        self._classes.visited(video)
        if not targets.learnable:
            self.nothing = "; ".join(filter(None, (targets.source, resolution.note)))
            return 0.0, 0.0
        labels = [each.long() for each in targets.labels]
        self._classes.saw(video, labels)
        exponent = config.training.class_balance
        balance = balanced_weights(self._classes.shares, exponent) if exponent else None
        encodings: FrameCache = warm_up.encodings  # type: ignore[type-arg]
        before = len(self._descent.losses)
        for t in range(len(frames)):
            output = self._student.decode(encodings[t])
            loss = Distillation(
                targets,
                t,
                warm_up.grid_logits,
                config.training.distillation,
                output.logits.device,
                balance,
            )
            self._descent.step({"distill": loss(output.logits)})
        self.teacher.ema_update(self._student, self._config.ema_rate)
        own = [warm_up.grid_logits(t)[0].argmax(dim=0).cpu() for t in range(len(frames))]
        same_grid = labels[0].shape == own[0].shape
        changed = [
            float((label != plain).float().mean())
            for label, plain in zip(labels, own, strict=True)
            if same_grid
        ]
        return float(np.mean(self._descent.losses[before:])), float(np.mean(changed or [0.0]))
