"""What a user says of a model, and the rest is found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ditta_adapt.models.parts import Layer
from ditta_adapt.models.replay import Call, call_model


@dataclass(frozen=True, slots=True)
class Hints:
    """What is known of a model beforehand.

    Attributes:
        call: how it is run.
        decoder: name of the module that is adapted; what is run before it is frozen.
        adapt: patterns of names of parameters that are adapted; nothing is frozen then.
        frozen: names of the modules that are frozen.
        start: name of the module at whose first call the frozen part ends.
        calls_vary: whether the number of times that the frozen part is called depends on the size
            of the image.
        features: where the features are.
        logits: takes what the decoder, or else the model, returns, and gives the class scores.
        sizes: `(H, W)` that its configuration names.
        threshold: probability above which a pixel is of the class, of a model with a single one.
    """

    call: Call = call_model
    decoder: str | None = None
    adapt: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    start: str | None = None
    calls_vary: bool = False
    features: Layer | None = None
    logits: Callable[[Any], Tensor] | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    threshold: float = 0.5
