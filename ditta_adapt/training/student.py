"""The model being adapted: a private copy of the segmenter, the add-on and the projection head."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ditta_adapt.config import AdaptConfig, AttentionAddon
from ditta_adapt.models.compiled import CompiledSegmenter
from ditta_adapt.models.encodings import at_least
from ditta_adapt.models.forward import decode
from ditta_adapt.models.parameters import (
    adaptable_parameters,
    device_of,
    modules_of,
)
from ditta_adapt.models.private_copy import frozen_copy, private_copy
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput
from ditta_adapt.training.addon import ProjectionHead, TemporalAddon


@dataclass(frozen=True, slots=True)
class Student:
    """Everything adaptation changes.

    Attributes:
        segmenter: a private copy; the user's model is never part of a student.
        addon: the temporal add-on, or none.
        projection: features for the contrastive loss; only while adapting.
        precision: encodings of fewer bits are cast to it before they are decoded; none to decode
            them as they come.
    """

    segmenter: Segmenter
    addon: TemporalAddon | None = None
    projection: ProjectionHead | None = None
    precision: torch.dtype | None = None

    @classmethod
    def pretrained(cls, segmenter: Segmenter) -> "Student":
        """The image model as it is, sharing its memory: to look at, not to change.

        It has no add-on, since an untrained one would only do harm.
        """
        return cls(frozen_copy(segmenter))

    @classmethod
    def create(cls, segmenter: Segmenter, config: AdaptConfig, num_frames: int) -> "Student":
        """A student ready to be trained; heads start from torch's random state.

        With a single warm-up frame there is no pair of frames to train the add-on on, so none is
        made.
        """
        student = full_precision_student(segmenter)
        own = student.segmenter
        device = device_of(own)
        addon = projection = None
        if isinstance(config.memory, AttentionAddon) and num_frames > 1:
            addon = make_addon(own, config.memory).to(device)
        if config.training.contrast is not None:
            projection = ProjectionHead(own.feature_dim).to(device)
        return replace(student, addon=addon, projection=projection)

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """Decode what the frozen encoder gave, cast to `precision` if it has fewer bits.

        Raises:
            SegmenterError: the model raised.
        """
        if self.precision is not None:
            encoded = at_least(self.precision, encoded)
        return decode(self.segmenter, encoded)

    def compiled(self) -> "Student":
        """The same, to stream with: its encoder and decoder as CUDA graphs where they can be."""
        return replace(self, segmenter=CompiledSegmenter(self.segmenter))

    def clone(self) -> "Student":
        """A second student with the same weights, for the momentum model. It has no add-on."""
        projection = None
        if self.projection is not None:
            projection = ProjectionHead(self.segmenter.feature_dim).to(device_of(self.segmenter))
            projection.load_state_dict(self.projection.state_dict())
        own = private_copy(self.segmenter)
        return replace(self, segmenter=own, addon=None, projection=projection)

    def heads(self) -> list[nn.Module]:
        """The add-on and the projection head, where there are any."""
        return [head for head in (self.addon, self.projection) if head is not None]

    def parameters(self) -> list[nn.Parameter]:
        """All parameters that are trained."""
        own = adaptable_parameters(self.segmenter)
        return own + [parameter for head in self.heads() for parameter in head.parameters()]

    def set_training(self, training: bool, *, in_eval: Collection[str] = ()) -> None:
        """Switch the adaptable modules between train and eval mode; the encoder stays in eval.

        Args:
            training: whether to train mode.
            in_eval: layers that stay in eval mode whatever else, see `single_value_norms`.
        """
        for name, module in self.segmenter.adaptable_modules().items():
            module.train(training)
            for key, layer in module.named_modules(prefix=name):
                if key in in_eval:
                    layer.eval()

    def ema_update(self, live: "Student", rate: float) -> None:
        """Exponential moving average: `own = rate * own + (1 - rate) * live`, parameters only."""
        pairs: list[tuple[Tensor, Tensor]] = list(
            zip(
                adaptable_parameters(self.segmenter),
                adaptable_parameters(live.segmenter),
                strict=True,
            )
        )
        if self.projection is not None and live.projection is not None:
            pairs += zip(self.projection.parameters(), live.projection.parameters(), strict=True)
        ema_update(*zip(*pairs, strict=True), rate=rate)


def ema_update(averaged: Iterable[Tensor], live: Iterable[Tensor], *, rate: float) -> None:
    """Exponential moving average in place: `averaged = rate * averaged + (1 - rate) * live`."""
    with torch.no_grad():
        for own, other in zip(averaged, live, strict=True):
            own.lerp_(other, 1 - rate)


def full_precision_student(segmenter: Segmenter) -> Student:
    """A private copy that can be trained: in float32 if the model is in half precision.

    A step of a learning rate of 1e-4 is lost in a weight of 8 or 11 significant bits, and a loss
    in float16 overflows. All of the copy is converted, since decoders use more than what they
    train; a model of 32 bits and more is copied as it is.
    """
    own = private_copy(segmenter)
    if is_half(own):
        for module in modules_of(own):
            module.float()
    return Student(own, precision=adaptable_parameters(own)[0].dtype)


def is_half(segmenter: Segmenter) -> bool:
    """Whether any weight that is adapted is in half precision."""
    half = (torch.float16, torch.bfloat16)
    return any(parameter.dtype in half for parameter in adaptable_parameters(segmenter))


def make_addon(segmenter: Segmenter, options: AttentionAddon) -> TemporalAddon:
    """An untrained add-on that fits a segmenter."""
    return TemporalAddon(
        segmenter.feature_dim, radius=options.radius, residual=options.form == "residual"
    )
