"""Which part of an image model a method trains."""

from typing import Literal

from torch import nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parameters import adaptable_parameters, all_parameters, modules_of
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.models.with_norms import norm_layers

Scope = Literal["all", "decoder"]
"""The whole model, or only what `Segmenter.adaptable_modules` names."""


def parameters_in(segmenter: Segmenter, scope: Scope) -> list[nn.Parameter]:
    """The floating-point parameters in a scope, each once, in the same order for every copy."""
    if scope == "decoder":
        return adaptable_parameters(segmenter)
    return [each for each in all_parameters(segmenter) if each.is_floating_point()]


def norms_in(segmenter: Segmenter, scope: Scope) -> list[nn.Module]:
    """Batch, synchronised batch, instance, layer and group norms in a scope."""
    adaptable = {id(parameter) for parameter in adaptable_parameters(segmenter)}
    inside = {
        id(layer)
        for module in segmenter.adaptable_modules().values()
        for layer in named_modules(module).values()
    }
    return [
        layer
        for layer in norm_layers(segmenter)
        if scope == "all"
        or id(layer) in inside
        # Adaptable modules may hold a layer's parameters without holding the layer.
        or any(id(parameter) in adaptable for parameter in layer.parameters(recurse=False))
    ]


def norm_parameters(segmenter: Segmenter, scope: Scope) -> list[nn.Parameter]:
    """Scale and shift of the normalisation layers in a scope, each once.

    Raises:
        SegmenterError: there is none.
    """
    wanted = {
        id(parameter)
        for layer in norms_in(segmenter, scope)
        for parameter in layer.parameters(recurse=False)
    }
    found = [p for p in parameters_in(segmenter, scope) if id(p) in wanted]
    if not found:
        part, advice = "model", "Use another method."
        if scope == "decoder":
            part, advice = "decoder", "Use scope='all', or another method."
        raise SegmenterError(
            f"the {part} of {type(segmenter).__name__} has no normalisation layer with a scale or "
            f"shift (batch, instance, layer or group norm), so there is nothing to adapt. {advice}"
        )
    return found


def local_names(segmenter: Segmenter) -> dict[int, str]:
    """What the module that holds a parameter calls it, such as `"weight"`, by `id(parameter)`."""
    names: dict[int, str] = {}
    for module in modules_of(segmenter):
        for layer in named_modules(module).values():
            for name, parameter in layer.named_parameters(recurse=False):
                names.setdefault(id(parameter), name)
    return names
