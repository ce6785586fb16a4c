"""Options of what is remembered of the frames before (stage D; Eq. 1, 3)."""

from dataclasses import dataclass
from typing import Literal

from ditta_adapt.config.record import Positive, Record, Share, Size

AddonForm = Literal["residual", "paper"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpedVotes(Record):
    """Votes of past frames, warped to the present one, see `update_memory`; nothing to train.

    Attributes:
        decay: how much past votes weigh one frame further on, in [0, 1].
        tolerance: mean colour error, of [0, 1], at which a warped vote has lost most of its
            weight, see `photometric_consistency`.
    """

    decay: Share = 0.85
    tolerance: Positive = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionAddon(Record):
    """The paper's temporal add-on: attention to the frame before (Eq. 1), fused (Eq. 3).

    Attributes:
        form: `"residual"`: query and key start as the identity, cosine similarity with a learned
            temperature; `"paper"`: two random linear layers, unscaled dot product.
        radius: of the attention window, in cells of the feature grid; none for the whole map.
        fusion_threshold: `tau` of Eq. 3, in [0, 1].
        through_previous_frame: in training decode frames t and t-1 as a batch of two, with
            gradients through both, as the released program does; otherwise frame t-1's output is
            kept from its own step, without gradients.
    """

    form: AddonForm = "residual"
    radius: Size | None = 5
    fusion_threshold: Share = 0.8
    through_previous_frame: bool = False
