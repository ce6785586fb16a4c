"""The methods of an evaluation that have a name, each built anew for every video."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ditta_adapt.baselines import (
    AccelSegmenter,
    AuxAdapt,
    CoTTA,
    ImageModel,
    MaskClassification,
    MaskClassifier,
    MaskRefiner,
    Method,
    OracleLabels,
    RefinedLabels,
    Tent,
    TrueLabels,
    ZeroShotRefinement,
    ablation,
)
from ditta_adapt.baselines.accel import default_config as accel_config
from ditta_adapt.config import AdaptConfig, AttentionAddon, Training
from ditta_adapt.datasets import IGNORE, LabelledVideo
from ditta_adapt.errors import InputError
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.video_segmenter import VideoSegmenter


@dataclass(frozen=True)
class Parts:
    """What methods are built from.

    Attributes:
        segmenter: the image model.
        propagator: what follows objects, or warps maps, through the video.
        seed: of everything random.
        aux: a second, smaller image model of the same classes, for `auxadapt`; without one, the
            image model takes both parts.
        classifier: of masks, for `i-sam2` and `i-sam2-base`.
        truth: true labels of the warm-up, for `oracle` and `true-labels`.
        relabel: the label class of each of the model's classes, where they are not the same.
        video: that is labelled, for `predictions:DIR`.
    """

    segmenter: Segmenter
    propagator: Propagator
    seed: int = 0
    aux: Segmenter | None = None
    classifier: MaskClassifier | None = None
    truth: Sequence[np.ndarray] | None = None
    relabel: np.ndarray | None = None
    video: LabelledVideo | None = None


def _adapted(
    config: AdaptConfig, targets: Callable[[Parts], TargetBuilder] | None = None
) -> Callable[[Parts], Method]:
    def build(parts: Parts) -> Method:
        own = replace(config, seed=parts.seed)
        builder = build_targets if targets is None else targets(parts)
        return VideoSegmenter(
            parts.segmenter, propagator=parts.propagator, config=own, target_builder=builder
        )

    return build


# Other labels than the propagator's, learned as they are: to compare labels, and nothing else.
_AS_THEY_ARE = AdaptConfig(safety=None, look=None, training=Training(class_balance=0.0))


def _refined(strategy: Any, offset: Any = -1) -> Callable[[Parts], Method]:
    return _adapted(_AS_THEY_ARE, lambda parts: RefinedLabels(strategy, offset=offset))


def _truth(parts: Parts) -> Sequence[np.ndarray]:
    if parts.truth is None:
        raise InputError("the method needs true labels of every warm-up frame; the video has none.")
    return parts.truth


def _in_model_classes(parts: Parts) -> list[np.ndarray]:
    """True labels in the model's classes.

    Where several of these count as one class of the labels, the lowest stands for it: what is
    predicted is relabelled before it is scored.
    """
    if parts.relabel is None:
        return list(_truth(parts))
    table = np.full(IGNORE + 1, IGNORE, np.int64)
    for model_class in range(len(parts.relabel) - 1, -1, -1):
        table[parts.relabel[model_class]] = model_class
    table[IGNORE] = IGNORE
    return [table[label] for label in _truth(parts)]


def _classified(base: bool) -> Callable[[Parts], Method]:
    def build(parts: Parts) -> Method:
        assert parts.classifier is not None
        return MaskClassification(parts.segmenter, parts.propagator, parts.classifier, base=base)

    return build


BUILDERS: Mapping[str, Callable[[Parts], Method]] = {
    "image-model": lambda parts: ImageModel(parts.segmenter),
    "ditta": _adapted(AdaptConfig()),
    "ditta-no-addon": _adapted(AdaptConfig(memory=None)),
    "ditta-attention": _adapted(AdaptConfig(memory=AttentionAddon())),
    "ditta-memory": _adapted(AdaptConfig(targets=None)),
    "ditta-no-look": _adapted(AdaptConfig(look=None)),
    "ditta-unchecked": _adapted(AdaptConfig(safety=None)),
    "ditta-paper": _adapted(AdaptConfig.paper()),
    "ditta-as-printed": _adapted(AdaptConfig.as_printed()),
    **{
        f"ditta-paper-{''.join(parts) or 'none'}": _adapted(
            ablation(addon="A" in parts, targets="B" in parts, contrastive="C" in parts)
        )
        for parts in ("", "A", "B", "C", "AB", "AC", "BC")
    },
    "tent": lambda parts: Tent.original(parts.segmenter, seed=parts.seed),
    "tent-hard": lambda parts: Tent.for_segmentation(parts.segmenter),
    "cotta": lambda parts: CoTTA(parts.segmenter, seed=parts.seed),
    "auxadapt": lambda parts: AuxAdapt(parts.segmenter, parts.aux or parts.segmenter),
    "zero-shot": lambda parts: ZeroShotRefinement(parts.segmenter, parts.propagator),
    "refiner": lambda parts: MaskRefiner(parts.segmenter, parts.propagator),
    "i-sam2": _classified(base=False),
    "i-sam2-base": _classified(base=True),
    "consistency": _refined("consistency"),
    "max-confidence": _refined("max_confidence"),
    "warp-forward": _refined("warp", 1),
    "warp-backward": _refined("warp", -1),
    "oracle": _adapted(
        _AS_THEY_ARE, lambda parts: OracleLabels(_truth(parts), relabel=parts.relabel)
    ),
    "true-labels": _adapted(_AS_THEY_ARE, lambda parts: TrueLabels(_in_model_classes(parts))),
    "accel": lambda parts: AccelSegmenter(
        parts.segmenter, propagator=parts.propagator, config=accel_config(seed=parts.seed)
    ),
}

WITH_TRUTH = frozenset({"oracle", "true-labels"})
"""Methods that are told the truth: bounds, not competitors."""


def method_names() -> tuple[str, ...]:
    """All names, the image model first."""
    return tuple(BUILDERS)
