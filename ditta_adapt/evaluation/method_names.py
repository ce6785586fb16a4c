"""The methods of an evaluation by name, each built anew for every video."""

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
    RefinedMethod,
    Tent,
    TrueLabels,
    ZeroShotRefinement,
    ablation,
)
from ditta_adapt.baselines.accel import default_config as accel_config
from ditta_adapt.config import AdaptConfig, AttentionAddon, Training
from ditta_adapt.datasets import IGNORE, LabelledVideo
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.saved_labels import SavedLabels, check_saved_labels
from ditta_adapt.io.factories import call_factory, check_factory
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


_BUILDERS: Mapping[str, Callable[[Parts], Method]] = {
    "image-model": lambda parts: ImageModel(parts.segmenter),
    "ditta": _adapted(AdaptConfig()),
    "ditta-no-addon": _adapted(AdaptConfig(memory=None)),
    "ditta-attention": _adapted(AdaptConfig(memory=AttentionAddon())),
    "ditta-memory": _adapted(AdaptConfig(targets=None)),
    "ditta-no-look": _adapted(AdaptConfig(look=None)),
    "ditta-unchecked": _adapted(AdaptConfig(safety=None)),
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
    "oracle": _adapted(
        _AS_THEY_ARE, lambda parts: OracleLabels(_truth(parts), relabel=parts.relabel)
    ),
    "true-labels": _adapted(_AS_THEY_ARE, lambda parts: TrueLabels(_in_model_classes(parts))),
    "accel": lambda parts: AccelSegmenter(
        parts.segmenter, propagator=parts.propagator, config=accel_config(seed=parts.seed)
    ),
}

SAVED = "predictions"
"""Before the colon: label maps in files, see `SavedLabels`."""

REFINED = "refined"
"""Before the colon: another method, refined by masks, see `RefinedMethod`."""

WITH_TRUTH = frozenset({"oracle", "true-labels"})
"""Methods that are told the truth: bounds, not competitors."""


def method_names() -> tuple[str, ...]:
    """All names, the image model first."""
    return tuple(_BUILDERS)


def check_method(name: str) -> str:
    """The name itself: of `method_names`, `predictions:DIR`, `package.module:factory`, `refined:`.

    Nothing is imported.

    Raises:
        InputError: no method has it, no such folder, or no such package.
    """
    kind, colon, rest = name.partition(":")
    if name in _BUILDERS:
        return name
    if not (colon and rest):
        raise InputError(
            f"there is no method {name!r}; expected one of {', '.join(_BUILDERS)}; "
            "predictions:DIR, label maps in files; package.module:factory, which returns one; or "
            "refined:METHOD, any of these refined by masks."
        )
    if kind == SAVED:
        check_saved_labels(rest)
    elif kind == REFINED:
        check_method(rest)
    else:
        check_factory(name)
    return name


def check_parts(name: str, parts: Parts) -> None:
    """Refuse a method that could not run on any video.

    Raises:
        InputError: no method of that name, or a part it needs is missing.
    """
    own = check_method(name).removeprefix(f"{REFINED}:")
    if own.startswith("i-sam2") and parts.classifier is None:
        raise InputError(
            f"{name} needs a classifier of masks (`Parts.classifier`, or --classifier FILE), "
            "trained on labelled videos as in examples/train_mask_classifier.py."
        )


def build_method(name: str, parts: Parts) -> Method:
    """A method with pre-trained weights.

    Raises:
        InputError: no method of that name, or a part it needs is missing.
    """
    check_parts(name, parts)
    if name in _BUILDERS:
        return _BUILDERS[name](parts)
    kind, _, rest = name.partition(":")
    if kind == SAVED:
        if parts.video is None:
            raise InputError(f"{name} needs the video that is labelled (`Parts.video`).")
        return SavedLabels(rest, parts.video)
    if kind == REFINED:
        refined = build_method(rest, parts)
        return RefinedMethod(refined, parts.propagator, parts.segmenter.num_classes)
    method = call_factory(name)
    if not isinstance(method, Method):
        raise InputError(
            f"{name} returned a {type(method).__name__}; expected a method: an object with adapt, "
            "__call__, clear_memory and reset, such as a ClipNetwork."
        )
    return method
