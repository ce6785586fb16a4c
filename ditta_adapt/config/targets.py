"""Options of the pseudo-labels (stage B; Eq. 4, 5)."""

from dataclasses import dataclass
from typing import Literal

from ditta_adapt.config.record import Count, NotNegative, Positive, Record, Share, Size

Outside = Literal["image_model", "ignore"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseVote(Record):
    """Every frame votes on its neighbours' labels, see `dense_vote`; for propagators that warp.

    Attributes:
        decay: how much a vote weighs one frame further on, in [0, 1].
        tolerance: mean colour error, of [0, 1], at which a warped vote has lost most of its
            weight, see `photometric_consistency`.
    """

    decay: Share = 0.9
    tolerance: Positive = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskVote(Record):
    """Objects are prompted and tracked, and each is given a class, see `mask_vote`.

    Attributes:
        prompt_threshold: a class is prompted where its peak reliability reaches this, in [0, 1].
        prompt_dilation: a prompt this close to a tracked mask (L1 distance in pixels) is skipped.
        max_objects: at most this many objects are prompted in a video.
        area_weight: exponent `lambda_area` of the area term (Eq. 4).
        rarity_weight: exponent `lambda_freq` of the rarity term (Eq. 4); 0 turns it off.
        outside: the label outside masks: the image model's own, or `"ignore"`, none. Only
            `CrossEntropy` learns these labels; `Anchored` trusts none outside masks.
    """

    prompt_threshold: Share = 0.8
    prompt_dilation: Size = 5
    max_objects: Count = 100
    area_weight: NotNegative = 0.3
    rarity_weight: NotNegative = 0.0
    outside: Outside = "image_model"


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfLabels(Record):
    """The frozen image model's own labels, each class one object, without a propagator."""
