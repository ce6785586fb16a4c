"""The layer that turns features into class scores."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ditta_adapt.models.discovery.trace import ModuleCall, Trace
from ditta_adapt.models.feature_maps import as_map
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parts import Layer


@dataclass(frozen=True, slots=True)
class FoundFeatures:
    """The features of a model.

    Attributes:
        layer: where they are.
        classifier: name of the layer that turns them into class scores, if there is one.
    """

    layer: Layer
    classifier: str | None


def find_features(model: nn.Module, run: Trace, scores: Tensor) -> FoundFeatures | None:
    """What the classifier of a model sees.

    The classifier is the last layer with weights, without layers inside, whose output has one
    channel a class (or a square number of times as many, if pixels are shuffled after it) and
    whose input has another number, and on which the scores depend. Where there is none, such as
    where scores are products of pixels and class vectors, the last map is taken that the scores
    depend on and that is no map of scores itself.

    Args:
        model: that was run.
        run: with gradients.
        scores: in its output.

    Returns:
        The place of the features; none where the model has no map but its scores.
    """
    modules = named_modules(model)
    used = calls_used(run, scores)
    for number, call in reversed(list(enumerate(used))):
        if _classifies(modules[call.name], call, scores):
            before = used[number - 1].name if number else ""
            # Features are what enters the dropout, since that of training would spoil them.
            dropped = isinstance(modules[before], _DROPOUTS) and len(run.of(before)) == 1
            layer = Layer(before if dropped else call.name, "input")
            return FoundFeatures(layer, call.name)
    for axes in (4, 3):
        for call in reversed(used):
            for tensor in call.outputs:
                found = as_map(tensor, scores.shape[2:]) if tensor.ndim == axes else None
                if found is not None and found.shape[1] != scores.shape[1]:
                    return FoundFeatures(Layer(call.name), None)
    return None


_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


def calls_used(run: Trace, scores: Tensor) -> list[ModuleCall]:
    """Calls on whose outputs the scores depend, in the order they ended; not the model's own."""
    tensors = [
        (call, tensor)
        for call in run.calls
        if call.name
        for tensor in call.outputs
        if tensor.requires_grad
    ]
    if not tensors or not scores.requires_grad:
        return []
    gradients = torch.autograd.grad(
        scores.sum(), [tensor for _, tensor in tensors], allow_unused=True, retain_graph=True
    )
    used = {
        call.start: call
        for (call, _), gradient in zip(tensors, gradients, strict=True)
        if gradient is not None
    }
    return sorted(used.values(), key=lambda call: call.end)


def _classifies(module: nn.Module, call: ModuleCall, scores: Tensor) -> bool:
    leaf = not list(module.children()) and bool(list(module.parameters(recurse=False)))
    if not leaf or len(call.outputs) != 1 or not call.inputs:
        return False
    axis = -1 if isinstance(module, nn.Linear) else 1
    before, after = call.inputs[0], call.outputs[0]
    if min(before.ndim, after.ndim) < 3:
        return False
    if as_map(before, scores.shape[2:], channels_last=axis == -1) is None:
        return False
    classes = scores.shape[1]
    times, rest = divmod(after.shape[axis], classes)
    shuffled = rest == 0 and round(times**0.5) ** 2 == times > 0
    return shuffled and before.shape[axis] not in (classes, after.shape[axis])
