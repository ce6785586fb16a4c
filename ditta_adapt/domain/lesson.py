"""What a clip teaches: labels by the teacher, a step of the student a frame."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.baselines.scope import Scope
from ditta_adapt.baselines.trained_encoder import encode_in_scope
from ditta_adapt.config import CacheBudget, ClassMix, DomainConfig
from ditta_adapt.domain.label_quality import LabelQuality
from ditta_adapt.domain.sampling import RareClasses
from ditta_adapt.domain.source_clips import LabelledFrame, SourceClips
from ditta_adapt.domain.views import (
    View,
    half_of_classes,
    hidden_patches,
    hide,
    only,
    paste_classes,
)
from ditta_adapt.io.frames import FrameLike, frames_to_tensors
from ditta_adapt.losses import distillation_loss
from ditta_adapt.models.forward import preprocess_frame
from ditta_adapt.models.parameters import adaptable_parameters, adaptable_state
from ditta_adapt.models.segmenter import Encoded
from ditta_adapt.models.with_norms import WithNorms
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import silent
from ditta_adapt.safety.resolution import resolve
from ditta_adapt.targets.builder import TargetBuilder, check_targets
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.balance import balanced_weights
from ditta_adapt.training.descent import Descent
from ditta_adapt.training.distillation import Distillation
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
        propagator: warps votes, or follows objects.
        build_targets: labels a clip, which the teacher has seen.
        source: labelled frames to learn from besides; none to learn without any.
        config: of all of it.
        classes: is told the labels of every clip.
        random: draws.

    Attributes:
        teacher: with the student's weights of the past.
        steps: of the student so far.
        nothing: in plain words, why there was nothing to learn from the last such clip.
    """

    def __init__(
        self,
        student: Student,
        propagator: Propagator,
        build_targets: TargetBuilder,
        source: SourceClips | None,
        config: DomainConfig,
        classes: RareClasses,
        random: np.random.Generator,
    ) -> None:
        self.teacher = student.clone()
        self.steps, self.nothing = 0, ""
        self._student, self._propagator, self._build_targets = student, propagator, build_targets
        self._source, self._config, self._classes = source, config, classes
        self._random = random
        self._taught = torch.zeros(student.segmenter.num_classes, dtype=torch.float64, device="cpu")
        training, parameters = config.adapt.training, adaptable_parameters(student.segmenter)
        self._optimizer = torch.optim.AdamW(
            parameters,
            lr=config.learning_rate,
            betas=training.betas,
            weight_decay=training.weight_decay,
        )
        own = student.segmenter
        # So that norms count as the encoder's, which no gradient may reach.
        model = own.segmenter if isinstance(own, WithNorms) else own
        self._descent = Descent(model, parameters, self._optimizer, total=0, progress=silent)

    def learn(
        self,
        video: int,
        clip: Sequence[FrameLike],
        truth: Sequence[np.ndarray | None],
        quality: LabelQuality,
    ) -> Learned:
        """Learn a clip of a video.

        Args:
            video: which one.
            clip: its frames.
            truth: what is true of each, or none; it teaches nothing.
            quality: is told it, and the labels.

        Raises:
            InputError: targets, or labels of the source, that do not fit.
        """
        frames = frames_to_tensors(clip)
        normalizer = self._config.adapt.reliability_normalizer
        warm_up = WarmUp.from_frames(
            self.teacher.segmenter, frames, silent, normalizer=normalizer, budget=CacheBudget()
        )
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
        return Learned(self._train(warm_up, targets), _changed(targets, own))

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next clip depends on, by name, not cloned."""
        tensors = {"taught": self._taught}
        for name, student in (("student", self._student), ("teacher", self.teacher)):
            own = adaptable_state(student.segmenter)
            tensors |= {f"{name}.{key}": tensor for key, tensor in own.items()}
        for number, entries in self._optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{key}": each for key, each in entries.items()}
        return tensors

    def load(self, tensors: Mapping[str, Tensor], steps: int, nothing: str) -> None:
        """Go on from what `state` gave, after so many steps."""
        self._taught = tensors["taught"]
        with torch.no_grad():
            for name, student in (("student", self._student), ("teacher", self.teacher)):
                for key, tensor in adaptable_state(student.segmenter).items():
                    tensor.copy_(tensors[f"{name}.{key}"])
        entries: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            if part == "optimizer":
                number, _, key = rest.partition(".")
                entries.setdefault(int(number), {})[key] = tensor
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": entries, "param_groups": groups})
        self.steps, self.nothing = steps, nothing

    def _train(self, warm_up: WarmUp, targets: Targets) -> float:
        """A step of the student a frame, then one of the teacher; the mean loss of the steps."""
        length, size, config = len(warm_up.frames), warm_up.size, self._config
        source: list[LabelledFrame] = []
        if self._source is not None:
            together = config.mix is None or config.mix.consistent
            source = self._source.draw(length, size, self._random, together=together)
        plain = [View(warm_up.frames[t], only(targets, t)) for t in range(length)]
        shown = self._mixed(plain, source, config.mix) if config.mix and source else plain
        balance = self._balance(shown)
        losses = []
        for t, view in enumerate(shown):
            frozen = warm_up.grid_logits(t)
            seen = view is plain[t] and config.encoder == "frozen"
            encoded = warm_up.encodings[t] if seen else self._encode(view.frame)
            terms = {"distill": self._distill(encoded, view.targets, frozen, balance)}
            if (mask := config.mask) is not None:
                hidden = hidden_patches(size, mask.ratio, mask.patch, self._random)
                masked = self._encode(hide(plain[t].frame, hidden))
                learned = self._distill(masked, plain[t].targets, frozen, balance)
                terms["masked"] = mask.weight * learned
            if source:
                terms["source"] = config.source_weight * self._supervised(source[t])
            self._descent.step(terms)
            losses.append(self._descent.history[-1]["total"])
        self.steps += len(losses)
        # Of a run of many videos only the last steps are asked for.
        self._descent.history.clear()
        self.teacher.ema_update(self._student, config.ema_rate)
        return float(np.mean(losses))

    def _distill(
        self,
        encoded: Encoded,
        targets: Targets,
        frozen: Float[Tensor, "1 C h w"],
        balance: Float[Tensor, " C"] | None,
    ) -> Float[Tensor, ""]:
        """The loss of the student on one frame, given its targets and the teacher's logits."""
        logits = self._student.decode(encoded).logits
        options = self._config.adapt.training.distillation
        return Distillation(targets, 0, lambda _: frozen, options, logits.device, balance)(logits)

    def _mixed(
        self, plain: Sequence[View], source: Sequence[LabelledFrame], mix: ClassMix
    ) -> list[View]:
        drawn = half_of_classes(source[0].labels, self._random) if mix.consistent else None
        return [
            paste_classes(
                view,
                labelled,
                half_of_classes(labelled.labels, self._random) if drawn is None else drawn,
            )
            for view, labelled in zip(plain, source, strict=True)
        ]

    def _balance(self, shown: Sequence[View]) -> Float[Tensor, " C"] | None:
        """By the classes of all that was taught so far, this clip included."""
        for view in shown:
            labels = view.targets.labels[0]
            known = labels[labels != IGNORE].long().cpu()
            self._taught += torch.bincount(known, minlength=len(self._taught))
        exponent = self._config.adapt.training.class_balance
        shares = self._taught / self._taught.sum().clamp(min=1)
        return balanced_weights(shares, exponent) if exponent else None

    def _encode(self, frame: UInt8[Tensor, "3 H W"]) -> Encoded:
        own = self._student.segmenter
        scope: Scope = "decoder" if self._config.encoder == "frozen" else "all"
        return encode_in_scope(own, preprocess_frame(own, frame), scope)

    def _supervised(self, source: LabelledFrame) -> Float[Tensor, ""]:
        logits = self._student.decode(self._encode(source.frame)).logits
        height, width = source.labels.shape
        labels = source.labels[None].to(logits.device)
        return distillation_loss(
            resize_logits(logits, (height, width)), labels, ignore_index=IGNORE
        )


def _changed(targets: Targets, own: Sequence[Tensor]) -> float:
    """Mean share of labels that are not the teacher's own; 0 where grids differ."""
    changed = [
        float((labels.long().cpu() != plain).float().mean())
        for labels, plain in zip(targets.labels, own, strict=True)
        if labels.shape == plain.shape
    ]
    return float(np.mean(changed or [0.0]))
