"""Class scores, read from what a model returns."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.models.mask_scores import semantic_log_scores

Path: TypeAlias = tuple[str | int, ...]
"""How to get at something in a nest: keys, positions and names of attributes."""

Kind: TypeAlias = Literal["logits", "probabilities", "one logit", "one probability"]
"""What scores can be; "one": of a single class beside the background."""

_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class MapReading:
    """Scores that are a map `(B, C, h, w)` in the output.

    Attributes:
        where: finds it, given the output: a path, or a function of the user's.
        kind: what it holds.
        threshold: probability above which a pixel is of the class, of a model with a single one.
    """

    where: Path | Callable[[Any], Tensor] = ()
    kind: Kind = "logits"
    threshold: float = 0.5

    def found(self, output: Any) -> Tensor:
        """The scores as the model gives them."""
        return self.where(output) if callable(self.where) else at(output, self.where)

    def __call__(self, output: Any) -> Float[Tensor, "B C h w"]:
        """Logits of the classes."""
        return as_logits(self.found(output), self.kind, self.threshold)

    def raw(self, scores: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C2 h w"]:
        """Logits of the classes, from what the classifier itself gives."""
        return as_logits(scores, "one logit" if scores.shape[1] == 1 else "logits", self.threshold)


@dataclass(frozen=True, slots=True)
class QueryReading:
    """Scores of a model with queries: of what class each is, and its mask.

    Attributes:
        classes: name of `(B, Q, C + 1)` in the output; the last class is "no object".
        masks: name of `(B, Q, h, w)`.
    """

    classes: str
    masks: str

    def found(self, output: Any) -> Tensor:
        """The masks as the model gives them."""
        masks: Tensor = at(output, (self.masks,))
        return masks

    def __call__(self, output: Any) -> Float[Tensor, "B C h w"]:
        """Log-scores of the classes, see `semantic_log_scores`."""
        classes, masks = at(output, (self.classes,)), at(output, (self.masks,))
        return semantic_log_scores(classes, masks).to(masks.dtype)

    def raw(self, scores: Float[Tensor, "B C h w"]) -> Float[Tensor, "B C h w"]:
        """Log-scores, as they are."""
        return scores


Reading: TypeAlias = MapReading | QueryReading


def as_logits(scores: Tensor, kind: Kind, threshold: float = 0.5) -> Float[Tensor, "B C h w"]:
    """Logits whose softmax has the model's own labels.

    * probabilities `p`: `log max(p, 1e-6)`, whose softmax is `p`.
    * a single class: the logits of background and of it, `(0, z - logit(threshold))`.

    Args:
        scores: `(B, C, h, w)`.
        kind: what they are.
        threshold: in (0, 1).
    """
    if kind == "logits":
        return scores
    if kind == "probabilities":
        return scores.clamp_min(_LEAST).log()
    if kind == "one probability":
        scores = scores.clamp(_LEAST, 1 - _LEAST).logit()
    scores = scores - math.log(threshold / (1 - threshold))
    return torch.cat([torch.zeros_like(scores), scores], dim=1)


def at(nest: Any, path: Path) -> Any:
    """What is at a path in a nest of mappings, sequences and objects with attributes."""
    for key in path:
        if isinstance(key, str) and not isinstance(nest, Mapping):
            nest = getattr(nest, key)
        else:
            nest = nest[key]
    return nest


def walk(nest: Any, path: Path = ()) -> Sequence[tuple[Path, Any]]:
    """Every leaf of a nest of mappings, sequences and data classes, with its path."""
    items: list[tuple[str | int, Any]]
    if isinstance(nest, Mapping):
        items = list(nest.items())
    elif isinstance(nest, tuple) and hasattr(nest, "_fields"):
        items = [(name, getattr(nest, name)) for name in nest._fields]
    elif isinstance(nest, list | tuple):
        items = list(enumerate(nest))
    elif is_dataclass(nest) and not isinstance(nest, type):
        items = [(each.name, getattr(nest, each.name)) for each in fields(nest)]
    else:
        return [(path, nest)]
    return [leaf for key, value in items for leaf in walk(value, (*path, key))]
