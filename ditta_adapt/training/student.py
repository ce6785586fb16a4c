"""The model being adapted: a private copy of the segmenter, the add-on and the projection head."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ditta_adapt.config import AdaptConfig
from ditta_adapt.models.parameters import adaptable_parameters, adaptable_state, device_of
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.training.attention_addon import ProjectionHead, TemporalAddon


@dataclass(frozen=True, slots=True)
class Student:
    """Everything adaptation changes.

    Attributes:
        segmenter: a private copy; the user's model is never part of a student.
        addon: the temporal add-on, or none.
        projection: features for the contrastive loss; only while adapting.
        carries: whether predictions are fused with votes that the teacher carries along, instead
            of an add-on.
    """

    segmenter: Segmenter
    addon: TemporalAddon | None = None
    projection: ProjectionHead | None = None
    carries: bool = False

    @classmethod
    def pretrained(cls, segmenter: Segmenter) -> "Student":
        """The image model as it is: no add-on, since an untrained one would only do harm."""
        return cls(private_copy(segmenter))

    @classmethod
    def create(cls, segmenter: Segmenter, config: AdaptConfig, num_frames: int) -> "Student":
        """A student ready to be trained; heads start from torch's random state.

        With a single warm-up frame there is no pair of frames to train the add-on on, so none is
        made.
        """
        own = private_copy(segmenter)
        device = device_of(own)
        addon = projection = None
        if config.addon in ("residual", "paper") and num_frames > 1:
            addon = make_addon(own, config).to(device)
        if config.contrastive_weight > 0:
            projection = ProjectionHead(own.feature_dim).to(device)
        return cls(own, addon, projection, carries=config.addon == "carried")

    def clone(self) -> "Student":
        """A second student with the same weights, for the momentum model. It has no add-on."""
        projection = None
        if self.projection is not None:
            projection = ProjectionHead(self.segmenter.feature_dim).to(device_of(self.segmenter))
            projection.load_state_dict(self.projection.state_dict())
        return Student(private_copy(self.segmenter), None, projection)

    def heads(self) -> list[nn.Module]:
        """The add-on and the projection head, where there are any."""
        return [head for head in (self.addon, self.projection) if head is not None]

    def parameters(self) -> list[nn.Parameter]:
        """All parameters that are trained."""
        own = adaptable_parameters(self.segmenter)
        return own + [parameter for head in self.heads() for parameter in head.parameters()]

    def set_training(self, training: bool) -> None:
        """Switch the adaptable modules between train and eval mode; the encoder stays in eval."""
        for module in self.segmenter.adaptable_modules().values():
            module.train(training)

    def follow(self, live: "Student", rate: float) -> None:
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
        with torch.no_grad():
            for own, other in pairs:
                own.lerp_(other, 1 - rate)


def make_addon(segmenter: Segmenter, config: AdaptConfig) -> TemporalAddon:
    """An untrained add-on that fits a segmenter."""
    return TemporalAddon(
        segmenter.feature_dim,
        radius=config.window_radius,
        residual=config.addon != "paper",
    )


def copy_of_weights(student: Student) -> dict[str, Tensor]:
    """What `interpolate` goes to: weights and buffers of the adaptable modules, cloned."""
    return {name: tensor.clone() for name, tensor in adaptable_state(student.segmenter).items()}


def interpolate(student: Student, start: Student, end: dict[str, Tensor], share: float) -> None:
    """Set the weights of a student, in place, to `start + share * (end - start)`.

    Counters, which are no floats, stay as they are; so does an add-on, which has no start.
    """
    origin = adaptable_state(start.segmenter)
    with torch.no_grad():
        for name, tensor in adaptable_state(student.segmenter).items():
            if tensor.is_floating_point():
                tensor.copy_(torch.lerp(origin[name], end[name], share))
