"""Which part of a model is frozen."""

import fnmatch
from dataclasses import replace

import torch
from torch import nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.discovery.classifier import FoundFeatures, calls_used
from ditta_adapt.models.discovery.cuts import MOST_OF_THE_WORK, ended_by, possible_cuts
from ditta_adapt.models.discovery.examined import Examined, noise
from ditta_adapt.models.discovery.hints import Hints
from ditta_adapt.models.discovery.split import FoundSplit, Subject, depends_on, try_split
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.replay import Split

# So many moments of a level are tried.
_CUTS_A_LEVEL = 12


def choose_split(
    examined: Examined, features: FoundFeatures | None, hints: Hints
) -> tuple[FoundSplit, str]:
    """The frozen part of a model.

    What is named, if anything is. Else the best possible cut after which nothing depends on the
    image itself; else the best cut of all. Where there is none, nothing is frozen.

    Args:
        examined: the model.
        features: of it.
        hints: what is named.

    Returns:
        The split, and what is to be said of it, in plain words.
    """
    model, run = examined.model, examined.run
    if hints.adapt:
        return FoundSplit(Split(), _matching(model, hints.adapt)), ""
    if hints.decoder is not None or hints.start is not None or hints.frozen:
        return _named_split(examined, hints), ""
    subject = _subject(examined)
    used = calls_used(run, examined.scores)
    classifier = None if features is None else features.classifier
    # Where nothing but the classifier could be left, that is left.
    for spared in dict.fromkeys((classifier, None)):
        for cuts in possible_cuts(model, run, used, spared):
            second_best: FoundSplit | None = None
            for cut in cuts[:_CUTS_A_LEVEL]:
                found = try_split(subject, cut)
                if found is not None and not found.split.needs_image:
                    return found, ""
                second_best = second_best or found
            if second_best is not None:
                return second_best, "what is adapted reads the image again"
    late = [call for call in used if call.flops > MOST_OF_THE_WORK * run.flops]
    modules = named_modules(model)
    own = {id(each) for call in late for each in modules[call.name].parameters(recurse=False)}
    reached = depends_on(examined.scores, model)
    return FoundSplit(Split(), frozenset(own & reached) or reached), ""


def _named_split(examined: Examined, hints: Hints) -> FoundSplit:
    frozen, run, model = hints.frozen, examined.run, examined.model
    named = hints.decoder or hints.start
    for name in frozen if named is None else (named,):
        if not run.of(name):
            raise SegmenterError(
                f"the model's forward pass never called its submodule {name!r}; name the "
                "submodule that forward calls directly."
            )
    if named is not None:
        frozen = ended_by(run.of(named)[0].start, run)
    found = try_split(_subject(examined), frozen) if frozen else None
    if found is not None and hints.calls_vary:
        found = replace(found, split=replace(found.split, calls=None))
    if found is None:
        found = FoundSplit(Split(), depends_on(examined.scores, model))
    if hints.decoder is not None:
        decoder = model.get_submodule(hints.decoder)
        found = replace(found, adaptable=frozenset(id(each) for each in decoder.parameters()))
    return found


def _subject(examined: Examined) -> Subject:
    run = examined.run
    size = (run.images.shape[2], run.images.shape[3])
    with torch.no_grad():
        whole = examined.reading(examined.call(examined.model, run.images))
    return Subject(
        examined.model,
        examined.call,
        examined.reading,
        run,
        other=noise(examined.model, size, seed=1),
        whole=whole,
    )


def _matching(model: nn.Module, patterns: tuple[str, ...]) -> frozenset[int]:
    return frozenset(
        id(parameter)
        for name, parameter in model.named_parameters()
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    )
