"""Every hyper-parameter of the method, in one frozen, validated dataclass."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from ditta_adapt.errors import ConfigError
from ditta_adapt.losses import Reduction
from ditta_adapt.reliability import Normalizer

AddonForm = Literal["auto", "carried", "residual", "paper", "none"]
Acceptance = Literal["checked", "always"]
Certainty = Literal["reliability", "softmax_entropy"]
Fill = Literal["iss", "ignore"]
ModuleMode = Literal["eval", "train"]
TargetKind = Literal["auto", "masks", "self", "none"]

_GIB = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptConfig:
    """How a video is adapted to and predicted.

    The defaults are chosen for models and videos the method was not tuned on: ordinary
    cross-entropy, small steps, frozen statistics, no rarity weight, an add-on that starts as the
    identity. `AdaptConfig.paper()` is the released program instead.

    Prompts and propagation:
        reliability_normalizer: normaliser of the reliability map, see `reliability`.
        prompt_threshold: a class is prompted where its peak reliability reaches this, in [0, 1].
        prompt_dilation: a prompt this close to a tracked mask (L1 distance in pixels) is skipped.
        max_objects: at most this many objects are prompted in a video.

    Targets (Eq. 4, 5):
        targets: `"auto"`: a dense vote of neighbouring frames where the teacher can carry dense
            maps, else masks; `"masks"`: objects that are prompted, followed and given a class;
            `"self"`: the frozen model's own labels, each class one object, without a teacher;
            `"none"`: nothing, so that `adapt` leaves the weights as they are; what is remembered
            is up to `addon`.
        vote_decay: how much a dense vote weighs one frame further on, in [0, 1].
        photometric_tolerance: mean colour error, of [0, 1], at which a vote that was carried along
            has lost most of its weight, see `photometric_consistency`.
        anchored: labels are trusted only as far as their vote was clear, and the student holds on
            to the frozen model's distribution for the rest, see `anchored_distillation_loss`.
        area_weight: exponent of the area term of the class vote.
        rarity_weight: exponent of the rarity term; 0 turns it off.
        fill: label outside masks: the frozen image model's own (`"iss"`) or none (`"ignore"`).

    Losses (Eq. 5 to 8):
        distillation_from_probabilities: see `distillation_loss`.
        distillation_reduction: see `distillation_loss`.
        contrastive_weight: weight of the mask-contrastive term; 0 turns it off.
        contrastive_temperature: `T` of Eq. 7.
        contrastive_certainty: weight of a pixel in its prototype: the momentum model's
            reliability (paper), or one minus the min-max-scaled entropy of the softmax of its
            probabilities (released program).
        ema_rate: momentum model = rate x momentum model + (1 - rate) x model.

    Optimisation:
        passes: how often the warm-up is gone through, one step a frame.
        adapted_share: how far the weights go from the pre-trained to the trained ones, in (0, 1].
            Part of the way keeps most of what is gained and less of what is lost (weight averaging
            as in WiSE-FT, Wortsman et al., CVPR 2022).
        learning_rate, betas, weight_decay: of AdamW.
        module_mode: `"train"` makes dropout active and batch norm use batch statistics.
        through_previous_frame: let gradients of the add-on's loss flow through frame t-1 too,
            which costs a second decoder pass; otherwise frame t-1's output is kept from its own
            step.
        seed: of everything random; the caller's random state is not touched.

    Safety:
        accept: `"checked"`: what contradicts the frozen model more than it contradicts itself is
            not learned, or undone, and a watchdog falls back to pre-trained weights, see
            `judge_targets`, `roll_back` and `Watch`; `"always"`: the raw method.

    Temporal add-on and fusion (Eq. 1, 3):
        addon: `"carried"`: votes of past frames that the teacher carries along, without weights,
            see `update_memory`; `"residual"`: attention whose query and key start as the identity,
            cosine similarity with a learned temperature; `"paper"`: two random linear layers,
            unscaled dot product; `"none"`. `"auto"` is `"carried"` where the teacher can carry
            dense maps, else `"residual"`.
        memory_decay: how much warped votes weigh one frame further on, in [0, 1].
        window_radius: radius of the attention window, in cells of the feature grid.
        fusion_threshold: `tau` of Eq. 3, in [0, 1].

    Memory:
        device_cache_bytes: budget on the model's device for what the frozen model says about the
            warm-up: encodings, and logits on their grid.
        cpu_cache_bytes: budget for those that do not fit there; the rest is recomputed.

    Raises:
        ConfigError: a value has the wrong type or is out of its range.
    """

    reliability_normalizer: Normalizer = "frame"
    prompt_threshold: float = 0.8
    prompt_dilation: int = 5
    max_objects: int = 100

    targets: TargetKind = "auto"
    vote_decay: float = 0.9
    photometric_tolerance: float = 0.08
    anchored: bool = True
    area_weight: float = 0.3
    rarity_weight: float = 0.0
    fill: Fill = "iss"

    distillation_from_probabilities: bool = False
    distillation_reduction: Reduction = "valid"
    contrastive_weight: float = 0.0
    contrastive_temperature: float = 1.0
    contrastive_certainty: Certainty = "reliability"
    ema_rate: float = 0.99

    passes: int = 2
    adapted_share: float = 0.75
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.01
    module_mode: ModuleMode = "eval"
    through_previous_frame: bool = False
    seed: int = 0

    accept: Acceptance = "checked"

    addon: AddonForm = "auto"
    memory_decay: float = 0.85
    window_radius: int = 5
    fusion_threshold: float = 0.8

    device_cache_bytes: int = 2 * _GIB
    cpu_cache_bytes: int = 4 * _GIB

    def __post_init__(self) -> None:
        """Check every field, so that a wrong value fails here and not minutes later."""
        for name, hint in get_type_hints(type(self)).items():
            _check_type(name, getattr(self, name), hint)
        for name in (
            "prompt_threshold",
            "vote_decay",
            "ema_rate",
            "fusion_threshold",
            "memory_decay",
        ):
            self._check_range(name, 0, 1)
        for name in ("prompt_dilation", "window_radius", "area_weight", "rarity_weight"):
            self._check_range(name, 0)
        for name in ("contrastive_weight", "weight_decay", "device_cache_bytes", "cpu_cache_bytes"):
            self._check_range(name, 0)
        if not 0 < self.adapted_share <= 1:
            raise ConfigError(
                f"adapted_share is {self.adapted_share}; expected a finite number in (0, 1]."
            )
        for name in ("max_objects", "passes"):
            self._check_range(name, 1)
        for name in ("learning_rate", "contrastive_temperature", "photometric_tolerance"):
            self._check_range(name, math.ulp(0.0))
        # What torch takes as a seed.
        self._check_range("seed", 0, 2**63 - 1)
        if len(self.betas) != 2 or not all(0 <= beta < 1 for beta in self.betas):
            raise ConfigError(f"betas is {self.betas}; expected two numbers in [0, 1).")
        if self.contrastive_weight > 0 and self.targets not in ("masks", "self"):
            raise ConfigError(
                f"contrastive_weight is {self.contrastive_weight} and targets {self.targets!r}; "
                "the contrastive loss needs objects: set targets='masks' or 'self', or the weight "
                "to 0."
            )

    @classmethod
    def paper(cls) -> "AdaptConfig":
        """The released program's behaviour, which produced the published numbers.

        It gains two points of mIoU in its own setting and can do harm outside of it.
        """
        return cls(
            targets="masks",
            anchored=False,
            accept="always",
            rarity_weight=0.8,
            distillation_from_probabilities=True,
            distillation_reduction="all",
            contrastive_weight=1.0,
            contrastive_certainty="softmax_entropy",
            passes=5,
            adapted_share=1.0,
            learning_rate=1e-3,
            module_mode="train",
            through_previous_frame=True,
            addon="paper",
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields, as values that JSON can hold."""
        return dataclasses.asdict(self) | {"betas": list(self.betas)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "AdaptConfig":
        """Inverse of `to_dict`.

        Raises:
            ConfigError: an unknown field, or a value out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise ConfigError(f"unknown fields {unknown}; known are {sorted(known)}.")
        arguments = dict(values)
        if isinstance(arguments.get("betas"), list):
            arguments["betas"] = tuple(arguments["betas"])
        return cls(**arguments)

    def _check_range(self, name: str, low: float, high: float = sys.float_info.max) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            shown = "above 0" if 0 < low < 1 else f"of at least {low}"
            bound = shown if high == sys.float_info.max else f"in [{low}, {high}]"
            raise ConfigError(f"{name} is {value}; expected a finite number {bound}.")


def _check_type(name: str, value: object, hint: Any) -> None:
    """Check a value against the few kinds of annotation used above."""
    choices = get_args(hint)
    if hint is float:
        valid = isinstance(value, int | float) and not isinstance(value, bool)
        expected = "a number"
    elif hint is int:
        valid = isinstance(value, int) and not isinstance(value, bool)
        expected = "an integer"
    elif hint is bool:
        valid, expected = isinstance(value, bool), "True or False"
    elif choices and isinstance(choices[0], str):
        valid, expected = value in choices, f"one of {list(choices)}"
    else:
        valid = isinstance(value, tuple) and all(isinstance(item, float) for item in value)
        expected = "a tuple of two floats"
    if not valid:
        raise ConfigError(f"{name} is {value!r}; expected {expected}.")
