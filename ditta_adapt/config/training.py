"""Options of losses and optimisation (stage C; Eq. 5 to 8)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from ditta_adapt.config.record import Count, NotNegative, Positive, Range, Record, Share
from ditta_adapt.losses import Reduction

Certainty = Literal["reliability", "softmax_entropy"]
ModuleMode = Literal["eval", "train"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored(Record):
    """Learn labels as far as they are trusted, see `anchored_distillation_loss`.

    For the rest of its weight a pixel holds on to the frozen model's own distribution. Targets
    that do not say how far they are trusted are learned by `CrossEntropy()`.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossEntropy(Record):
    """Learn every label fully, see `distillation_loss` (Eq. 5).

    Attributes:
        double_softmax: feed probabilities instead of logits, as the released program does.
        reduction: `"valid"`, the mean over labelled pixels, or `"all"`, over all pixels.
    """

    double_softmax: bool = False
    reduction: Reduction = "valid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contrast(Record):
    """The mask-contrastive term, see `mask_contrastive_loss` (Eq. 6, 7); needs objects.

    Attributes:
        weight: of the term in the loss (Eq. 8).
        temperature: `T` of Eq. 7.
        certainty: weight of a pixel in its prototype: the momentum model's reliability (paper),
            or one minus the min-max-scaled entropy of the softmax of its probabilities (released
            program).
        ema_rate: momentum model = rate x momentum model + (1 - rate) x model.
    """

    weight: Positive = 1.0
    temperature: Positive = 1.0
    certainty: Certainty = "reliability"
    ema_rate: Share = 0.99


@dataclass(frozen=True, slots=True, kw_only=True)
class Training(Record):
    """How a copy of the decoder is trained.

    Attributes:
        passes: how often the warm-up is gone through.
        steps_per_frame: steps on a frame before the next one comes.
        learning_rate: of AdamW.
        betas: of AdamW.
        weight_decay: of AdamW.
        module_mode: `"train"` makes dropout active and batch norm use batch statistics.
        adapted_share: how far the weights go from the pre-trained to the trained ones, in (0, 1].
            Part of the way keeps most of what is gained and less of what is lost (weight averaging
            as in WiSE-FT, Wortsman et al., CVPR 2022).
        class_balance: exponent of the weight of a class in the loss, in [0, 1], see
            `class_weights`: 0 counts pixels alike, 1 counts classes alike.
        distillation: the loss of the labels.
        contrast: the mask-contrastive term, or none.
    """

    passes: Count = 2
    steps_per_frame: Count = 1
    learning_rate: Positive = 1e-4
    betas: tuple[
        Annotated[float, Range(0, 1, below=True)], Annotated[float, Range(0, 1, below=True)]
    ] = (0.9, 0.999)
    weight_decay: NotNegative = 0.01
    module_mode: ModuleMode = "eval"
    adapted_share: Annotated[float, Range(0, 1, above=True)] = 0.75
    class_balance: Share = 0.5
    distillation: Anchored | CrossEntropy = Anchored()
    contrast: Contrast | None = None
