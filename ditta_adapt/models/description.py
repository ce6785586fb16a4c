"""What was found of a model, for people to look at."""

from dataclasses import dataclass
from typing import Any

from ditta_adapt.models.hooked import HookedSegmenter
from ditta_adapt.models.parameters import adaptable_parameters, all_parameters
from ditta_adapt.models.registry import find_segmenter


@dataclass(frozen=True, slots=True)
class Description:
    """How `wrap` takes a model; `print` shows it.

    Attributes:
        model: its class.
        segmenter: the class that runs it.
        num_classes: `C`.
        feature_dim: `D`.
        features: the layer of the features; empty where they are the scores themselves.
        frozen: names of the modules that run once a frame; empty where nothing is frozen.
        adapted: names of the modules and single weights that are adapted.
        adapted_weights: their share of all weights.
        frozen_work: share of the floating-point operations that the frozen part does; none where
            it is not known, as of a segmenter written by hand.
        sizes: which sizes of images the model takes.
        preprocessing: where the preprocessing is from.
        notes: what a user should know.
    """

    model: str
    segmenter: str
    num_classes: int
    feature_dim: int
    features: str
    frozen: tuple[str, ...]
    adapted: tuple[str, ...]
    adapted_weights: float
    frozen_work: float | None
    sizes: str
    preprocessing: str
    notes: tuple[str, ...]

    def __str__(self) -> str:
        work = "" if self.frozen_work is None else f" ({self.frozen_work:.0%} of the operations)"
        rows = {
            "model": f"{self.model}, by {self.segmenter}",
            "classes": str(self.num_classes),
            "features": f"{self.feature_dim} channels, {self.features or 'the scores themselves'}",
            "frozen": f"{', '.join(self.frozen) or 'nothing'}{work}",
            "adapted": f"{', '.join(self.adapted)} ({self.adapted_weights:.0%} of the weights)",
            "images": f"{self.sizes}; {self.preprocessing}",
        }
        lines = [f"{name:<9} {value}" for name, value in rows.items()]
        return "\n".join([*lines, *(f"{'note':<9} {note}" for note in self.notes)])


def describe(model: Any, *, processor: Any = None, threshold: float = 0.5) -> Description:
    """How `wrap` would take a model: what is frozen, what is adapted, how images are prepared.

    Args:
        model: as for `wrap`.
        processor: likewise.
        threshold: likewise.

    Raises:
        DittaError: as `wrap` does.
    """
    segmenter = find_segmenter(model, processor=processor, threshold=threshold)
    adapted = sum(parameter.numel() for parameter in adaptable_parameters(segmenter))
    everything = sum(parameter.numel() for parameter in all_parameters(segmenter))
    own = getattr(segmenter, "model", segmenter)
    if not isinstance(segmenter, HookedSegmenter):
        return Description(
            model=type(own).__name__,
            segmenter=type(segmenter).__name__,
            num_classes=segmenter.num_classes,
            feature_dim=segmenter.feature_dim,
            features="as decode gives them",
            frozen=("what encode runs",),
            adapted=tuple(segmenter.adaptable_modules()),
            adapted_weights=adapted / everything,
            frozen_work=None,
            sizes="as preprocess makes them",
            preprocessing="by preprocess",
            notes=(),
        )
    parts, found = segmenter.parts, segmenter.discovery
    images = str(segmenter.preprocessing)
    notes = tuple(note for note in segmenter.notes if note != images)
    if not parts.split.frozen:
        notes = (*notes, "every step of adaptation runs all of the model; naming a decoder helps")
    return Description(
        model=type(own).__name__,
        segmenter=type(segmenter).__name__,
        num_classes=parts.num_classes,
        feature_dim=parts.feature_dim,
        features="" if parts.features is None else str(parts.features),
        frozen=parts.split.frozen,
        adapted=(*parts.modules, *parts.parameters),
        adapted_weights=adapted / everything,
        frozen_work=found.frozen_work,
        sizes=str(found.sizes),
        preprocessing=images,
        notes=notes,
    )
