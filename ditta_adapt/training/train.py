"""Stage C: adapt the student to the targets, one optimiser step a frame."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import AdaptationError, ConfigError
from ditta_adapt.losses import (
    anchored_distillation_loss,
    distillation_loss,
    mask_contrastive_loss,
    mask_prototypes,
)
from ditta_adapt.models.encodings import EncodingCache
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.reliability import reliability
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.training.student import Student


def train_student(
    student: Student,
    encodings: EncodingCache,
    targets: Targets,
    frozen: Callable[[int], Float[Tensor, "1 C h w"]],
    config: AdaptConfig,
    progress: ProgressCallback,
) -> list[dict[str, float]]:
    """Train the student in place: `config.passes` times over the warm-up, in order.

    Per frame, `L = L_distill(plain) + L_distill(add-on) + weight * L_contrast` (Eq. 5 to 8); the
    add-on's term from the second frame on.

    Args:
        student: what is trained.
        encodings: of the warm-up frames.
        targets: what is learned.
        frozen: logits of the frozen model on a frame, to hold on to where targets are doubtful.
        config: of the losses and of the optimisation.
        progress: called after every step.

    Returns:
        The losses of every step, by name, with their sum as `"total"`.

    Raises:
        AdaptationError: a loss is not finite.
        ConfigError: a contrastive term is asked for but the targets name no objects.
    """
    if config.contrastive_weight > 0 and not targets.object_ids:
        raise ConfigError(
            f"contrastive_weight is {config.contrastive_weight} but the targets, {targets.source}, "
            "name no objects to contrast. Set the weight to 0, or take targets with objects."
        )
    parameters = student.parameters()
    optimizer = torch.optim.AdamW(
        parameters,
        lr=config.learning_rate,
        betas=config.betas,
        weight_decay=config.weight_decay,
    )
    contrast = _Contrast(student, config) if config.contrastive_weight > 0 else None
    student.set_training(config.module_mode == "train")
    history: list[dict[str, float]] = []
    previous: SegmenterOutput | None = None
    for step in range(config.passes * len(encodings)):
        t = step % len(encodings)
        encoded = encodings[t]
        output = student.segmenter.decode(encoded)
        distill = _Distillation(targets, t, frozen, config, output.logits.device)
        losses = {"distill": distill(output.logits)}
        if student.addon is not None and t > 0:
            if config.through_previous_frame:
                previous = student.segmenter.decode(encodings[t - 1])
            assert previous is not None
            second = student.addon(output.features, previous.features, previous.logits)
            losses["distill_addon"] = distill(second)
        if contrast is not None:
            object_ids = targets.object_ids[t].to(output.logits.device).long()
            losses["contrast"] = contrast.loss(output, encoded, object_ids)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            shown = {name: float(loss.detach()) for name, loss in losses.items()}
            raise AdaptationError(
                f"the loss of step {step} (frame {t}) is not finite: {shown}. Lower "
                f"learning_rate (now {config.learning_rate}), or run the model in float32."
            )
        if total.requires_grad:
            optimizer.zero_grad()
            torch.autograd.backward(total, inputs=parameters)
            optimizer.step()
        if contrast is not None:
            contrast.momentum.follow(student, config.ema_rate)
        previous = SegmenterOutput(output.features.detach(), output.logits.detach())
        history.append({name: float(loss.detach()) for name, loss in losses.items()})
        history[-1]["total"] = float(total.detach())
        progress(Progress("adapt", step + 1, config.passes * len(encodings), history[-1]["total"]))
    student.set_training(False)
    return history


class _Distillation:
    """The distillation term of one frame, for any prediction of it."""

    def __init__(
        self,
        targets: Targets,
        t: int,
        frozen: Callable[[int], Float[Tensor, "1 C h w"]],
        config: AdaptConfig,
        device: torch.device,
    ) -> None:
        self._labels = targets.labels[t].to(device).long().unsqueeze(0)
        self._size: tuple[int, int] = (self._labels.shape[1], self._labels.shape[2])
        self._config = config
        self._confidence: Tensor | None = None
        if targets.confidence:
            self._confidence = targets.confidence[t].to(device).float().unsqueeze(0)
            self._anchor = resize_logits(frozen(t), self._size).softmax(dim=1)

    def __call__(self, logits: Float[Tensor, "1 C h w"]) -> Float[Tensor, ""]:
        resized = resize_logits(logits, self._size)
        if self._confidence is None:
            return distillation_loss(
                resized,
                self._labels,
                ignore_index=IGNORE,
                double_softmax=self._config.distillation_from_probabilities,
                reduction=self._config.distillation_reduction,
            )
        return anchored_distillation_loss(
            resized, self._labels, self._confidence, self._anchor, ignore_index=IGNORE
        )


class _Contrast:
    """The mask-contrastive term with its momentum model and the prototypes of the video so far."""

    def __init__(self, student: Student, config: AdaptConfig) -> None:
        assert student.projection is not None
        self.momentum = student.clone()
        self.momentum.set_training(config.module_mode == "train")
        self._projection = student.projection
        self._config = config
        self._prototypes: dict[int, Tensor] = {}

    def loss(
        self, output: SegmenterOutput, encoded: object, object_ids: Int64[Tensor, "H W"]
    ) -> Float[Tensor, ""]:
        """Eq. 7 for one frame, times its weight."""
        height, width = object_ids.shape
        with torch.no_grad():
            ids, prototypes = self._update(encoded, object_ids)
        features = _unit_features(self._projection(output.features.float()), (height, width))
        loss: Tensor = mask_contrastive_loss(
            features,
            object_ids,
            ids,
            prototypes,
            temperature=self._config.contrastive_temperature,
        )
        return loss * self._config.contrastive_weight

    def _update(
        self, encoded: object, object_ids: Int64[Tensor, "H W"]
    ) -> tuple[Int64[Tensor, " N"], Float[Tensor, "N D"]]:
        """Prototypes of this frame (Eq. 6), averaged with those of earlier steps."""
        assert self.momentum.projection is not None
        height, width = object_ids.shape
        output = self.momentum.segmenter.decode(encoded)
        features = _unit_features(
            self.momentum.projection(output.features.float()), (height, width)
        )
        ids, prototypes = mask_prototypes(
            features, object_ids, self._certainty(output.logits, (height, width))
        )
        for row, object_id in enumerate(ids.tolist()):
            if object_id in self._prototypes:
                mean = (prototypes[row] + self._prototypes[object_id]) / 2
                prototypes[row] = F.normalize(mean, dim=0)
            self._prototypes[object_id] = prototypes[row]
        return ids, prototypes

    def _certainty(
        self, logits: Float[Tensor, "1 C h w"], size: tuple[int, int]
    ) -> Float[Tensor, "H W"]:
        resized = resize_logits(logits, size)
        if self._config.contrastive_certainty == "reliability":
            return reliability(resized, normalizer=self._config.reliability_normalizer)[0]
        entropy = torch.special.entr(resized.softmax(dim=1).softmax(dim=1)).sum(dim=1)[0]
        low, high = entropy.min(), entropy.max()
        # An even map ranks no pixel over another: 0 / 0 counts as certain everywhere.
        spread = torch.where(high > low, high - low, torch.ones_like(high))
        certainty: Tensor = 1 - (entropy - low) / spread
        return certainty


def _unit_features(
    features: Float[Tensor, "1 D h w"], size: tuple[int, int]
) -> Float[Tensor, "D H W"]:
    """Unit length over channels, resized to the frame, unit length again."""
    unit = F.normalize(features, dim=1)
    resized = F.interpolate(unit, size=size, mode="bilinear", align_corners=False)
    return F.normalize(resized[0], dim=0)
