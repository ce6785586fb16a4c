"""The parts of a model, found by watching it run."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.caller_state import own_gradient_mode, seeded, without_autocast
from ditta_adapt.models.discovery.adaptable import adaptable_parts
from ditta_adapt.models.discovery.choice import choose_split
from ditta_adapt.models.discovery.classifier import FoundFeatures, find_features
from ditta_adapt.models.discovery.examined import Examined, examine, noise
from ditta_adapt.models.discovery.hints import Hints
from ditta_adapt.models.discovery.same import same_scores
from ditta_adapt.models.discovery.split import FoundSplit
from ditta_adapt.models.discovery.trace import Trace
from ditta_adapt.models.parts import Layer, Parts
from ditta_adapt.models.replay import Split
from ditta_adapt.models.replayed import ReplayedSegmenter
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.models.sizes import SizeRule


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found of a model.

    Attributes:
        parts: what is frozen, adapted, and where features and scores are.
        sizes: of images that it takes.
        frozen_work: share of the floating-point operations that is done by what is frozen.
        notes: what a user should know, in plain words.
    """

    parts: Parts
    sizes: SizeRule
    frozen_work: float
    notes: tuple[str, ...]


def discover(model: nn.Module, hints: Hints) -> Discovery:
    """Find the parts of a model by running it on noise.

    1. The sizes that it takes, by trying.
    2. The class scores in what it returns, see `find_scores`.
    3. The features, see `find_features`.
    4. The frozen part, see `possible_cuts` and `try_split`; nothing is frozen if there is none.
    5. What is adapted: the weights on which the scores depend after the frozen part, and on which
       the frozen part does not.

    Then it is run in these parts and as a whole on images of two sizes; what differs is not taken.

    Args:
        model: a private copy, in eval mode; its parameters are made to require gradients.
        hints: what is known of it; the rest is found.

    Raises:
        SegmenterError: it cannot be run on an image alone, it returns no scores of classes, or no
            gradient passes.
    """
    for parameter in model.parameters():
        # Gradients cannot pass one made in inference mode.
        if parameter.is_floating_point() and not parameter.is_inference():
            parameter.requires_grad_(True)
    device = next((each.device for each in model.parameters()), torch.device("cpu"))
    with own_gradient_mode(), without_autocast(device), seeded(0, device):
        examined = examine(model, hints)
        features = find_features(model, examined.run, examined.raw_scores)
        found, note = choose_split(examined, features, hints)
        parts, note = _verified(examined, found, features, hints, note)
    frozen = parts.split.frozen
    return Discovery(
        parts,
        examined.sizes,
        _share_of_work(examined.run, frozen),
        tuple(filter(None, (examined.note, note))),
    )


def _verified(
    examined: Examined, found: FoundSplit, features: FoundFeatures | None, hints: Hints, note: str
) -> tuple[Parts, str]:
    """Parts by which the model gives, at other sizes too, what it gives as a whole."""
    frozen = found.split.frozen
    if hints.features is not None and _is_inside(hints.features.name, frozen):
        raise SegmenterError(
            f"the feature layer {hints.features} was not run by decode, since it is in the frozen "
            f"part, {', '.join(frozen)}; name one that is run after it."
        )
    layer = hints.features or _usable_layer(examined.run, features, frozen)
    splits = (found.split, replace(found.split, calls=None), Split())
    if hints.calls_vary and hints.features is None:
        # A layer sees one window at a time.
        layer = None
    for split in splits:
        parts = _parts(examined, replace(found, split=split), layer)
        if parts is not None:
            if split.frozen != frozen:
                note = "its parts, run on their own, give something else, so all of it is run"
            return _with_scores_layer(examined, parts, features), note
    raise SegmenterError(
        f"{type(examined.model).__name__} gives another output each time it is run on an image, so "
        "it cannot be told what it says. Put it in eval mode, and give random numbers a seed."
    )


def _parts(examined: Examined, found: FoundSplit, layer: Layer | None) -> Parts | None:
    """The parts, or none where they do not make up the model."""
    adaptable = adaptable_parts(examined.model, found.adaptable)
    parts = Parts(
        examined.call,
        found.split,
        layer,
        None,
        examined.reading,
        adaptable.modules,
        adaptable.parameters,
        num_classes=examined.scores.shape[1],
        feature_dim=1,
    )
    feature_dim = 0
    for size in examined.sizes.probes():
        try:
            ours, whole = _both(examined, parts, size)
        except SegmenterError:
            if not parts.split.frozen:
                raise
            return None
        if not torch.equal(ours.logits, whole):
            return None
        feature_dim = ours.features.shape[1]
    return replace(parts, feature_dim=feature_dim)


def _both(
    examined: Examined, parts: Parts, size: tuple[int, int]
) -> tuple[SegmenterOutput, Tensor]:
    """What a model gives for noise, in its parts and as a whole."""
    segmenter = ReplayedSegmenter(examined.model, parts, preprocessing=torch.clone)
    images = noise(examined.model, size, seed=2)
    with torch.no_grad():
        with seeded(0, images.device):
            output = segmenter.decode(segmenter.encode(images))
        with seeded(0, images.device):
            return output, segmenter.reference(images)


def _usable_layer(
    run: Trace, features: FoundFeatures | None, frozen: Iterable[str]
) -> Layer | None:
    """The layer of the features, if decode runs it, and runs it once."""
    if features is None or len(run.of(features.layer.name)) != 1:
        return None
    return None if _is_inside(features.layer.name, frozen) else features.layer


def _is_inside(name: str, modules: Iterable[str]) -> bool:
    return any(name == each or name.startswith(f"{each}.") for each in modules)


def _with_scores_layer(examined: Examined, parts: Parts, features: FoundFeatures | None) -> Parts:
    """Parts whose scores are taken from the classifier, if all that follows is to resize them.

    Then they are on the classifier's own grid, which costs less than one of the image's size.
    """
    classifier = None if features is None else features.classifier
    calls = [] if classifier is None else examined.run.of(classifier)
    if classifier is None or len(calls) != 1 or calls[0].outputs[0].ndim != 4:
        return parts
    with_layer = replace(parts, scores=Layer(classifier))
    for size in examined.sizes.probes():
        try:
            ours, whole = _both(examined, with_layer, size)
        except SegmenterError:
            return parts
        if not same_scores(ours.logits, whole):
            return parts
    return with_layer


def _share_of_work(run: Trace, frozen: Iterable[str]) -> float:
    names = set(frozen)
    work = sum(call.work for call in run.calls if call.name in names)
    return work / max(1, run.flops)
