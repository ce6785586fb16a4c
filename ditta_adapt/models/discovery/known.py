"""What was found of a model, kept as long as the model is."""

from collections.abc import Hashable
from weakref import WeakKeyDictionary

from torch import nn

from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.models.discovery.discover import Discovery, discover
from ditta_adapt.models.discovery.hints import Hints
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.private_copy import model_copy

_KNOWN: WeakKeyDictionary[nn.Module, tuple[Hashable, Discovery]] = WeakKeyDictionary()


def discovery_of(model: nn.Module, hints: Hints) -> Discovery:
    """What is found of a model, see `discover`; of one that was wrapped before, what was found.

    It is looked at again if its modules, or the shapes or precision of its weights, are others.

    Raises:
        SegmenterError: as `discover`, or the model cannot be copied.
    """
    key = (hints, _structure(model))
    known = _KNOWN.get(model)
    if known is None or known[0] != key:
        # What is copied in inference mode could not be run with gradients.
        with own_gradient_mode():
            known = (key, discover(model_copy(model), hints))
        _KNOWN[model] = known
    return known[1]


def _structure(model: nn.Module) -> Hashable:
    modules = tuple((name, type(module)) for name, module in named_modules(model).items())
    weights = tuple(
        (name, tuple(each.shape), each.dtype, each.device)
        for name, each in model.named_parameters()
    )
    return modules, weights
