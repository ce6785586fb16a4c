"""Private copies: the user's model is read, never written."""

import copy
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from torch import nn

from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parameters import adaptable_parameters, modules_of
from ditta_adapt.models.segmenter import Segmenter

S = TypeVar("S", bound=Segmenter)


def private_copy(
    segmenter: S, trained: Callable[[Segmenter], list[nn.Parameter]] | None = None
) -> S:
    """Copy a segmenter; only the memory of the parameters that are not trained is shared.

    All module objects of the copy are its own, so train flags, `requires_grad` and hooks can be
    changed without the original noticing. The copy is in eval mode; exactly its trained
    parameters require gradients.

    Args:
        segmenter: what to copy.
        trained: picks the parameters that will be trained out of a segmenter, which is the
            original first and then the copy; `adaptable_parameters` if not given.

    Raises:
        SegmenterError: the segmenter cannot be copied, or declares nothing to adapt.
    """
    trained = trained or adaptable_parameters
    owned = {id(parameter) for parameter in trained(segmenter)}
    duplicate = _copied(segmenter, modules_of(segmenter), owned)
    for module in modules_of(duplicate):
        _to_eval_mode(module)
    for parameter in trained(duplicate):
        parameter.requires_grad_(True)
    return duplicate


def frozen_copy(segmenter: S) -> S:
    """A private copy that is only looked at: it shares the memory of all parameters.

    Raises:
        SegmenterError: the segmenter cannot be copied.
    """
    return private_copy(segmenter, lambda _: [])


def model_copy(model: nn.Module) -> nn.Module:
    """A private copy of a model alone, in eval mode, that shares the memory of all parameters.

    Raises:
        SegmenterError: the model cannot be copied.
    """
    duplicate = _copied(model, [model], set())
    _to_eval_mode(duplicate)
    return duplicate


T = TypeVar("T")


def _copied(original: T, modules: Iterable[nn.Module], owned: Collection[int]) -> T:
    """A copy whose parameters share their memory with the original's, but for those owned."""
    memo: dict[int, object] = {}
    for module in modules:
        for parameter in module.parameters():
            # A subclass of Parameter is left to its own way of copying, and gradients cannot pass
            # one made in inference mode.
            if (
                id(parameter) not in owned
                and type(parameter) is nn.Parameter
                and not parameter.is_inference()
            ):
                memo[id(parameter)] = nn.Parameter(parameter.detach(), requires_grad=False)
    try:
        return copy.deepcopy(original, memo)
    except Exception as error:
        raise SegmenterError(
            f"{type(original).__name__} cannot be copied ({error}). Adaptation works on a copy so "
            "that the model itself stays as it is: remove what cannot be copied from the model or "
            "adapter (locks, open files, non-leaf tensors), or give it a __deepcopy__."
        ) from error


def _to_eval_mode(module: nn.Module) -> None:
    for layer in named_modules(module).values():
        # Not `eval`, which some layers use to write into their weights, shared here.
        layer.training = False
