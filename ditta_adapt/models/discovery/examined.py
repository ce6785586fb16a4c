"""A model that was run once on noise, and where the class scores are in what it returned."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.caller_state import seeded
from ditta_adapt.models.discovery.hints import Hints
from ditta_adapt.models.discovery.outputs import (
    check_has_scores,
    find_scores,
    kind_of_scores,
    shown_path,
)
from ditta_adapt.models.discovery.same import same_scores
from ditta_adapt.models.discovery.trace import Trace, trace
from ditta_adapt.models.readings import MapReading, Reading, walk
from ditta_adapt.models.replay import Call, CallUntil
from ditta_adapt.models.sizes import SizeRule, find_size_rule


@dataclass(frozen=True, slots=True)
class Examined:
    """A model under examination.

    Attributes:
        model: a private copy, in eval mode, whose weights require gradients.
        call: how it is run.
        sizes: of images that it takes.
        run: on noise, with gradients.
        reading: reads the scores in what it returned.
        note: what was chosen among, in plain words, where there was a choice.
    """

    model: nn.Module
    call: Call
    sizes: SizeRule
    run: Trace
    reading: Reading
    note: str = ""

    @property
    def raw_scores(self) -> Tensor:
        """The scores of the run, as the model gives them."""
        return self.reading.found(self.run.output)

    @property
    def scores(self) -> Tensor:
        """The scores of the run, as logits."""
        return self.reading(self.run.output)


def examine(model: nn.Module, hints: Hints) -> Examined:
    """Run a model, and find its scores.

    With a decoder named, a forward pass may raise after it or return no scores, and `hints.logits`
    may be meant for what the decoder returns; the model is then run up to the decoder's end only,
    if it does nothing to scores after it but resize them as is done here.

    Args:
        model: a private copy, in eval mode, whose weights require gradients.
        hints: what is known of it.

    Raises:
        SegmenterError: it cannot be run on an image alone, or it returns no scores of classes, or
            no gradient passes.
    """
    if hints.decoder is None:
        return _examine(model, hints)
    door = replace(hints, call=CallUntil(hints.decoder, hints.call))
    if hints.logits is None:
        try:
            whole = _examine(model, hints)
        except SegmenterError as error:
            try:
                return _examine(model, door)
            except SegmenterError:
                raise error from None
        return _as_the_decoder_says(whole, door) if whole.note else whole
    try:
        ours = _examine(model, door)
    except SegmenterError:
        return _examine(model, hints)
    try:
        whole = _examine(model, replace(hints, logits=None))
    # Then there is nothing to compare with.
    except SegmenterError:
        return ours
    return ours if same_scores(ours.scores, whole.scores) else whole


def _as_the_decoder_says(whole: Examined, door: Hints) -> Examined:
    """Of several maps in what a model returns, that which its decoder gave, if one is that."""
    try:
        given = _examine(whole.model, door).scores
    except SegmenterError:
        return whole
    for path, leaf in walk(whole.run.output):
        if isinstance(leaf, Tensor) and leaf.ndim == 4 and same_scores(given, leaf):
            note = f"logits are output{shown_path(path)}, which is what the decoder gives"
            return replace(whole, reading=MapReading(path), note=note)
    return whole


def noise(model: nn.Module, size: tuple[int, int], seed: int = 0) -> Tensor:
    """Noise such as normalised images are, `(1, 3, H, W)`, where the model is."""
    generator = torch.Generator("cpu").manual_seed(seed)
    images = torch.randn((1, 3, *size), generator=generator, device="cpu", dtype=torch.float32)
    first = next((each for each in model.parameters() if each.is_floating_point()), images)
    return images.to(first.device, first.dtype)


def _examine(model: nn.Module, hints: Hints) -> Examined:
    def runs(size: tuple[int, int]) -> None:
        images = noise(model, size)
        with torch.no_grad():
            output = hints.call(model, images)
        # Some models take any size, and return a map of what they made of it.
        if hints.logits is None:
            check_has_scores(output, images)

    name = type(model).__name__
    try:
        sizes = find_size_rule(runs, hints.sizes)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except SegmenterError:
        raise
    # Whatever a model raises for what it does not take.
    except Exception as error:
        raise SegmenterError(
            f"{name} cannot be run on an image alone: {type(error).__name__}: {error}. Wrap a "
            "module that takes an image (B, 3, H, W) and fills in what else the model needs; or "
            "say the size that it takes, HookedSegmenter(model, size=(H, W))."
        ) from error
    images = noise(model, sizes.probes()[0])
    with seeded(0, images.device):
        run = trace(model, hints.call, images)
    if hints.logits is not None:
        kind = kind_of_scores(_given_logits(hints, run.output))
        found = Examined(
            model, hints.call, sizes, run, MapReading(hints.logits, kind, hints.threshold)
        )
    else:
        weights = [each for each in model.parameters() if each.requires_grad]
        scores = find_scores(run.output, run.images, weights, hints.threshold)
        found = Examined(model, hints.call, sizes, run, scores.reading, scores.note)
    if not found.scores.requires_grad:
        raise SegmenterError(
            f"no gradient passes the forward pass of {name}, so none of its weights could be "
            "adapted: it runs its decoder under torch.no_grad or inference_mode, or detaches what "
            "it returns. Take that off; here, prediction is run without gradients anyway."
        )
    return found


def _given_logits(hints: Hints, output: Any) -> Tensor:
    assert hints.logits is not None
    try:
        scores = hints.logits(output)
    # The function is the user's.
    except Exception as error:
        raise SegmenterError(
            f"logits(output) raised {type(error).__name__}: {error}, for an output that is a "
            f"{type(output).__name__}."
        ) from error
    if isinstance(scores, Tensor) and scores.ndim == 4 and scores.is_floating_point():
        return scores
    shown = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    raise SegmenterError(f"logits(output) gave {shown}; expected a (B, C, h, w) tensor of floats.")
