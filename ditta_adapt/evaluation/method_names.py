"""The methods of an evaluation by name, each built anew for every video."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import InputError
from ditta_adapt.methods import (
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
from ditta_adapt.propagator import Propagator
from ditta_adapt.segmenter import Segmenter
from ditta_adapt.target_builder import TargetBuilder
from ditta_adapt.video_segmenter import VideoSegmenter


@dataclass(frozen=True)
class Parts:
    """What methods are built from.

    Attributes:
        segmenter: the image model.
        propagator: the teacher.
        seed: of everything random.
        aux: a second, smaller image model of the same classes, for `auxadapt`; without one, the
            image model takes both parts.
        classifier: of masks, for `i-sam2` and `i-sam2-base`.
        truth: true labels of the warm-up in the model's classes, for `oracle` and `true-labels`.
    """

    segmenter: Segmenter
    propagator: Propagator
    seed: int = 0
    aux: Segmenter | None = None
    classifier: MaskClassifier | None = None
    truth: Sequence[np.ndarray] | None = None


def _adapted(
    config: AdaptConfig, targets: Callable[[Parts], TargetBuilder] | None = None
) -> Callable[[Parts], Method]:
    def build(parts: Parts) -> Method:
        own = AdaptConfig.from_dict(config.to_dict() | {"seed": parts.seed})
        builder = {} if targets is None else {"target_builder": targets(parts)}
        return VideoSegmenter(parts.segmenter, propagator=parts.propagator, config=own, **builder)

    return build


def _refined(strategy: Any, offset: Any = -1) -> Callable[[Parts], Method]:
    return _adapted(AdaptConfig(), lambda parts: RefinedLabels(strategy, offset=offset))


def _truth(parts: Parts) -> Sequence[np.ndarray]:
    if parts.truth is None:
        raise InputError("the method needs true labels of every warm-up frame; the video has none.")
    return parts.truth


def _classified(base: bool) -> Callable[[Parts], Method]:
    def build(parts: Parts) -> Method:
        if parts.classifier is None:
            raise InputError(
                "i-sam2 needs a classifier of masks, trained on labelled videos by "
                "examples/train_mask_classifier.py: pass its file as --classifier."
            )
        return MaskClassification(parts.segmenter, parts.propagator, parts.classifier, base=base)

    return build


_BUILDERS: Mapping[str, Callable[[Parts], Method]] = {
    "iss": lambda parts: ImageModel(parts.segmenter),
    "ditta": _adapted(AdaptConfig()),
    "ditta-no-addon": _adapted(AdaptConfig(addon="none")),
    "ditta-paper": _adapted(AdaptConfig.paper()),
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
    "oracle": _adapted(AdaptConfig(), lambda parts: OracleLabels(_truth(parts))),
    "true-labels": _adapted(AdaptConfig(), lambda parts: TrueLabels(_truth(parts))),
    "accel": lambda parts: AccelSegmenter(parts.segmenter, propagator=parts.propagator),
}

WITH_TRUTH = frozenset({"oracle", "true-labels"})
"""Methods that are told the truth: bounds, not competitors."""


def method_names() -> tuple[str, ...]:
    """All names, the image model first."""
    return tuple(_BUILDERS)


def check_method(name: str) -> str:
    """The name itself.

    Raises:
        InputError: no method has it.
    """
    if name not in _BUILDERS:
        raise InputError(f"there is no method {name!r}; expected one of {', '.join(_BUILDERS)}.")
    return name


def build_method(name: str, parts: Parts) -> Method:
    """A method with pre-trained weights.

    Raises:
        InputError: no method of that name, or a part it needs is missing.
    """
    return _BUILDERS[check_method(name)](parts)
