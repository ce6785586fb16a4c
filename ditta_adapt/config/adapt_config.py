"""The configuration of one adaptation, nested by what it configures."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from ditta_adapt.config.look import SecondLook
from ditta_adapt.config.memory import AttentionAddon, WarpedVotes
from ditta_adapt.config.propagator_training import PropagatorTraining
from ditta_adapt.config.record import Record, Seed
from ditta_adapt.config.safety import Checks
from ditta_adapt.config.targets import DenseVote, MaskVote, SelfLabels
from ditta_adapt.config.training import Anchored, Contrast, CrossEntropy, Training
from ditta_adapt.errors import ConfigError
from ditta_adapt.reliability import Normalizer

_TARGETS: Mapping[str, Record | None] = {
    "dense": DenseVote(),
    "masks": MaskVote(),
    "self": SelfLabels(),
    "none": None,
}
_MEMORY: Mapping[str, Record | None] = {
    "warped": WarpedVotes(),
    "residual": AttentionAddon(),
    "paper": AttentionAddon(form="paper"),
    "none": None,
}
_SAFETY: Mapping[str, Record | None] = {"checked": Checks(), "none": None}


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptConfig(Record):
    """How a video is adapted to and predicted.

    The defaults are chosen for models and videos the method was not tuned on: cross-entropy
    balanced over classes, small steps, frozen statistics, no rarity weight, a memory without
    weights, second looks, and a judge of what is used.
    `AdaptConfig.paper()` is the released program instead.

    `"auto"` is decided by the propagator, once, at the beginning of each `adapt`; reports hold what
    was decided, saved folders that and what was asked for. Other words are short for the defaults
    of a record: `targets="dense" | "masks" | "self" | "none"`, `memory="warped" | "residual" |
    "paper" | "none"`, `safety="checked" | "none"`.

    Attributes:
        targets: where labels come from (stage B). `"auto"`: `DenseVote()` where the propagator can
            warp dense maps, else `MaskVote()`. None: nothing is learned.
        training: how they are learned (stage C).
        memory: what is remembered while streaming (stage D). `"auto"`: `WarpedVotes()` where the
            propagator can warp dense maps, else `AttentionAddon()`. None: nothing.
        safety: what is kept of what was learned. None: all of it, whatever it does.
        look: when the frozen model looks a second time, larger and smaller. None: never.
        reliability_normalizer: of the reliability map that chooses prompts, weighs pixels, fuses
            (Eq. 3) and is part of predictions, see `reliability`.
        propagator_training: how the propagator is trained on the warm-up before it teaches. None:
            it is used as it is.
        seed: of everything random; the caller's random state is not touched.

    Raises:
        ConfigError: a value has the wrong type or is out of its range, or could not act.
    """

    targets: (
        DenseVote | MaskVote | SelfLabels | Literal["auto", "dense", "masks", "self", "none"] | None
    ) = "auto"
    training: Training = field(default_factory=Training)
    memory: (
        WarpedVotes | AttentionAddon | Literal["auto", "warped", "residual", "paper", "none"] | None
    ) = "auto"
    safety: Checks | Literal["checked", "none"] | None = field(default_factory=Checks)
    look: SecondLook | None = field(default_factory=SecondLook)
    reliability_normalizer: Normalizer = "frame"
    propagator_training: PropagatorTraining | None = None
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Check every field, write out short forms, and refuse what could not act."""
        # Not super(): dataclasses with slots are made anew, and its cell still holds the old one.
        Record.__post_init__(self)
        for name, forms in (("targets", _TARGETS), ("memory", _MEMORY), ("safety", _SAFETY)):
            value = getattr(self, name)
            if isinstance(value, str) and value in forms:
                object.__setattr__(self, name, forms[value])
        training = self.training
        if training.contrast and not isinstance(self.targets, MaskVote | SelfLabels):
            raise ConfigError(
                f"training.contrast is {training.contrast} and targets {self.targets!r}; the "
                "contrastive loss needs objects: set targets=MaskVote() or SelfLabels(), or "
                "contrast=None."
            )
        if (
            isinstance(self.targets, MaskVote)
            and self.targets.outside == "ignore"
            and isinstance(training.distillation, Anchored)
        ):
            raise ConfigError(
                "targets.outside is 'ignore', which cannot act: Anchored() trusts no label outside "
                "masks. Leave it out, or set training=Training(distillation=CrossEntropy())."
            )

    @classmethod
    def paper(cls) -> "AdaptConfig":
        """The released program's behaviour, which produced the published numbers.

        It gains two points of mIoU in its own setting and can do harm outside of it.
        """
        return cls(
            targets=MaskVote(rarity_weight=0.8),
            training=Training(
                passes=5,
                learning_rate=1e-3,
                module_mode="train",
                adapted_share=1.0,
                class_balance=0.0,
                distillation=CrossEntropy(double_softmax=True, reduction="all"),
                contrast=Contrast(certainty="softmax_entropy"),
            ),
            memory=AttentionAddon(form="paper", through_previous_frame=True),
            safety=None,
            look=None,
        )

    @classmethod
    def as_printed(cls) -> "AdaptConfig":
        """The paper's text, where it says something else than the released program does.

        Attention without a window (Eq. 1); cross-entropy of logits, on the pixels inside masks
        alone (Eq. 5); prototypes weighed by reliability (Eq. 2, 6); five steps on each frame, "5
        iterations per frame". What the text leaves open is as in `paper()`.
        """
        paper = cls.paper()
        return replace(
            paper,
            targets=MaskVote(rarity_weight=0.8, outside="ignore"),
            training=replace(
                paper.training,
                passes=1,
                steps_per_frame=5,
                distillation=CrossEntropy(),
                contrast=Contrast(),
            ),
            memory=AttentionAddon(form="paper", radius=None, through_previous_frame=True),
        )
