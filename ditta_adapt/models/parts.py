"""The parts of a model, by name: what is frozen, what is adapted, where features and scores are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from torch import nn

from ditta_adapt.models.readings import Reading
from ditta_adapt.models.replay import Call, Split

Side: TypeAlias = Literal["input", "output"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One side of a layer.

    Attributes:
        name: of the layer, as in `named_modules()`.
        side: what goes into it, or what comes out of it.
    """

    name: str
    side: Side = "output"

    @classmethod
    def parse(cls, text: str) -> "Layer":
        """`"head.classifier"`, or `"input:head.classifier"` for what goes into it."""
        name = text.removeprefix("input:")
        return cls(name, "output" if name == text else "input")

    def __str__(self) -> str:
        return self.name if self.side == "output" else f"input:{self.name}"


@dataclass(frozen=True, slots=True)
class Parts:
    """How a model is taken apart.

    Attributes:
        call: how the model is run.
        split: what is frozen.
        features: where the features are; none to take the scores themselves.
        scores: where the scores are caught, if not in what the model returns: the layer that makes
            them, where all the model does after it is to resize them as is done here.
        reading: reads the scores in what is caught, or returned.
        modules: names of the modules that are adapted, as a whole.
        parameters: names of the parameters that are adapted besides.
        num_classes: `C`.
        feature_dim: `D`.
    """

    call: Call
    split: Split
    features: Layer | None
    scores: Layer | None
    reading: Reading
    modules: tuple[str, ...]
    parameters: tuple[str, ...]
    num_classes: int
    feature_dim: int


class ParameterSubset(nn.Module):
    """Some of a model's parameters, under their own names, as a module."""

    def __init__(self, parameters: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        for name, parameter in parameters.items():
            # Module names may not contain dots.
            self.register_parameter(name.replace(".", "/"), parameter)
