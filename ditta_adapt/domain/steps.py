"""The student's steps on a clip: what it is shown, and the terms of its loss."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.baselines.scope import Scope
from ditta_adapt.baselines.trained_encoder import encode_in_scope
from ditta_adapt.config import ClassMix, DomainConfig
from ditta_adapt.domain.discriminator import VideoDiscriminator
from ditta_adapt.domain.feature_distance import DistanceTerm
from ditta_adapt.domain.optimizer_state import load_optimizer, optimizer_tensors, under
from ditta_adapt.domain.source_clips import LabelledFrame, SourceClips
from ditta_adapt.domain.views import (
    View,
    half_of_classes,
    hidden_patches,
    hide,
    only,
    paste_classes,
)
from ditta_adapt.losses import distillation_loss
from ditta_adapt.models.forward import preprocess_frame
from ditta_adapt.models.learnable import without_more
from ditta_adapt.models.parameters import adaptable_parameters, device_of
from ditta_adapt.models.segmenter import Encoded
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.training.balance import balanced_weights
from ditta_adapt.training.descent import Descent
from ditta_adapt.training.distillation import Distillation
from ditta_adapt.training.student import Student


class StudentSteps:
    """Steps of a student, clip after clip.

    Args:
        student: is trained; in eval mode.
        source: labelled frames to learn from besides; none to learn without any.
        distance: of the encoder's features to those of a reference, as a term; none without.
        config: of all of it.
        random: draws.

    Attributes:
        taken: how many so far.
    """

    def __init__(
        self,
        student: Student,
        source: SourceClips | None,
        distance: DistanceTerm | None,
        config: DomainConfig,
        random: np.random.Generator,
    ) -> None:
        self.taken = 0
        self._student, self._source, self._config, self._random = student, source, config, random
        own, options = student.segmenter, config.adapt.training
        self._taught = torch.zeros(own.num_classes, dtype=torch.float64, device="cpu")
        parameters = adaptable_parameters(own)
        self._optimizer = torch.optim.AdamW(
            parameters,
            lr=config.learning_rate,
            betas=options.betas,
            weight_decay=options.weight_decay,
        )
        # So that what is learned of the encoder counts as such, which no gradient may reach.
        self._descent = Descent(
            without_more(own), parameters, self._optimizer, total=0, progress=silent
        )
        self._distance = distance
        self._adversary: VideoDiscriminator | None = None
        if config.discriminator is not None and source is not None:
            self._adversary = VideoDiscriminator(
                own.num_classes, config.discriminator, device_of(own)
            )

    def take(self, warm_up: WarmUp, targets: Targets) -> float:
        """A step a frame; their mean loss.

        Args:
            warm_up: the clip, as the teacher has seen it.
            targets: labels of its frames.
        """
        length, size, config = len(warm_up.frames), warm_up.size, self._config
        source: list[LabelledFrame] = []
        if self._source is not None:
            # Who is shown two frames, is shown neighbours.
            stacked = self._adversary is not None and self._adversary.stacked
            together = config.mix is None or config.mix.consistent or stacked
            source = self._source.draw(length, size, self._random, together=together)
        plain = [View(warm_up.frames[t], only(targets, t)) for t in range(length)]
        shown = self._mixed(plain, source, config.mix) if config.mix and source else plain
        balance = self._balance(shown)
        losses = []
        before: list[Tensor] = []
        for t, view in enumerate(shown):
            frozen = warm_up.grid_logits(t)
            seen = view is plain[t] and config.encoder == "frozen"
            encoded = warm_up.encodings[t] if seen else self._encode(view.frame)
            logits = self._student.decode(encoded).logits
            terms = {"distill": self._distilled(logits, view.targets, frozen, balance)}
            if (mask := config.mask) is not None:
                hidden = hidden_patches(size, mask.ratio, mask.patch, self._random)
                masked = self._encode(hide(plain[t].frame, hidden))
                learned = self._distilled(
                    self._student.decode(masked).logits, plain[t].targets, frozen, balance
                )
                terms["masked"] = mask.weight * learned
            both = [logits]
            if source:
                supervised, of_source, own = self._supervised(source[t])
                terms["source"] = config.source_weight * supervised
                both.append(own)
                if self._distance is not None:
                    terms["distance"] = self._far(source[t].frame, of_source, source[t])
            elif self._distance is not None:
                terms["distance"] = self._far(view.frame, encoded, None)
            maps = self._stacked(both, before)
            if maps and self._adversary is not None:
                terms["adversary"] = self._adversary.confuse(maps[0])
            self._warm()
            self._descent.step(terms)
            if maps and self._adversary is not None:
                self._adversary.learn(maps[1], maps[0])
            before = [each.detach() for each in both]
            losses.append(self._descent.history[-1]["total"])
            self.taken += 1
        # Of a run of many videos only the last steps are asked for.
        self._descent.history.clear()
        return float(np.mean(losses))

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on but the student's own; not cloned."""
        tensors = {"taught": self._taught}
        own = optimizer_tensors(self._optimizer)
        tensors |= {f"optimizer.{name}": tensor for name, tensor in own.items()}
        if self._adversary is not None:
            theirs = self._adversary.state()
            tensors |= {f"adversary.{name}": tensor for name, tensor in theirs.items()}
        return tensors

    def load(self, tensors: Mapping[str, Tensor], taken: int) -> None:
        """Go on from what `state` gave, after so many steps."""
        self._taught, self.taken = tensors["taught"], taken
        load_optimizer(self._optimizer, under(tensors, "optimizer."))
        if self._adversary is not None:
            self._adversary.load(under(tensors, "adversary."))

    def _warm(self) -> None:
        """Set the learning rate of the next step."""
        share = min((self.taken + 1) / max(self._config.warmup_steps, 1), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = share * self._config.learning_rate

    def _stacked(self, both: Sequence[Tensor], before: Sequence[Tensor]) -> list[Tensor]:
        """Softmax maps of target and source, with those of the frame before if both are seen."""
        if self._adversary is None or len(both) < 2:
            return []
        now = [each.softmax(dim=1) for each in both]
        if not self._adversary.stacked:
            return now
        if not before:
            return []
        return [
            torch.cat([past.softmax(dim=1), present], dim=1)
            for past, present in zip(before, now, strict=True)
        ]

    def _far(
        self, frame: UInt8[Tensor, "3 H W"], encoded: Encoded, labelled: LabelledFrame | None
    ) -> Float[Tensor, ""]:
        assert self._distance is not None
        return self._distance(frame, encoded, labelled.labels if labelled else None)

    def _distilled(
        self,
        logits: Float[Tensor, "1 C h w"],
        targets: Targets,
        frozen: Float[Tensor, "1 C h2 w2"],
        balance: Float[Tensor, " C"] | None,
    ) -> Float[Tensor, ""]:
        """The loss on one frame, given its targets and the teacher's logits."""
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

    def _supervised(
        self, source: LabelledFrame
    ) -> tuple[Float[Tensor, ""], Encoded, Float[Tensor, "1 C h w"]]:
        """The loss on a source frame; and what the encoder and the decoder say of it."""
        encoded = self._encode(source.frame)
        logits = self._student.decode(encoded).logits
        height, width = source.labels.shape
        labels = source.labels[None].to(logits.device)
        resized = resize_logits(logits, (height, width))
        return distillation_loss(resized, labels, ignore_index=IGNORE), encoded, logits
