"""Find adapters by name through entry points, so that none is imported before it is needed."""

import inspect
from importlib.metadata import entry_points
from typing import Any

from torch import nn

from ditta_adapt.errors import InputError, UnknownModelError
from ditta_adapt.models.hooked import HookedSegmenter
from ditta_adapt.models.segmenter import Segmenter, is_segmenter
from ditta_adapt.models.unwrap import unwrap
from ditta_adapt.models.usable import check_usable

SEGMENTERS = "ditta_adapt.segmenters"


def find_segmenter(model: object, *, processor: Any = None, threshold: float = 0.5) -> Segmenter:
    """The segmenter for a model: itself if it is one, a registered adapter's, or a discovered one.

    What programs put around a model for training or speed is taken off, see `unwrap`.

    An adapter is registered in the entry-point group `ditta_adapt.segmenters` under
    `"<top-level package>.<class name>"` of the model; a subclass is served by its base's adapter.
    The parts of any other model are found by running it, see `HookedSegmenter`.

    Args:
        model: the image model, or a segmenter.
        processor: what images are prepared with for the model, see `wrap`.
        threshold: of a model with a single class, see `wrap`.

    Raises:
        UnknownModelError: it is no model, or one that does another task.
        MissingDependencyError: the adapter's library is not installed.
        InputError: a processor or threshold for a segmenter, which has its own; or a processor
            that cannot be used.
        SegmenterError: it cannot be adapted, see `check_usable` and `HookedSegmenter`.
    """
    if isinstance(model, type):
        raise UnknownModelError(
            f"wrap was given the class {model.__name__}; expected an instance of it."
        )
    if not 0 < threshold < 1:
        raise InputError(f"threshold is {threshold!r}; expected a probability between 0 and 1.")
    options = {} if processor is None else {"processor": processor}
    if threshold != 0.5:
        options["threshold"] = threshold
    segmenter: Segmenter = _segmenter_of(unwrap(model), options)
    check_usable(segmenter)
    return segmenter


def _segmenter_of(model: Any, options: dict[str, Any]) -> Any:
    if is_segmenter(model):
        if options:
            raise InputError(
                f"{' and '.join(options)} belong to a model; {type(model).__name__} is a "
                "segmenter, which prepares images itself."
            )
        return model
    if not isinstance(model, nn.Module):
        raise UnknownModelError(
            f"wrap was given a {type(model).__name__}; expected a torch.nn.Module that labels "
            "pixels, or a segmenter with preprocess, encode, decode and adaptable_modules."
        )
    registered = {point.name: point for point in entry_points(group=SEGMENTERS)}
    for base in type(model).__mro__:
        name = f"{base.__module__.partition('.')[0]}.{base.__name__}"
        if name in registered:
            return _adapted(registered[name].load(), model, options)
    _check_task(model)
    return HookedSegmenter(model, **options)


def _adapted(adapter: Any, model: Any, options: dict[str, Any]) -> Any:
    """What an adapter makes of a model, if it knows what to do with the options."""
    parameters = inspect.signature(adapter).parameters
    unknown = [name for name in options if name not in parameters]
    if unknown:
        raise InputError(
            f"{getattr(adapter, '__name__', adapter)}, the adapter for {type(model).__name__}, "
            f"takes no {' and no '.join(unknown)}. Leave it out, or name the model's parts: "
            "wrap(HookedSegmenter(model, ...))."
        )
    return adapter(model, **options)


def _check_task(model: nn.Module) -> None:
    """Refuse a model of transformers that says, by its name, that it does something else."""
    kind = type(model)
    if kind.__module__.partition(".")[0] == "transformers" and "Segmentation" not in kind.__name__:
        raise UnknownModelError(
            f"{kind.__name__} does not label pixels with classes; expected a "
            "...ForSemanticSegmentation or ...ForUniversalSegmentation. A model of your own around "
            "it, which returns logits (B, C, h, w), can be wrapped."
        )
