"""The model inside of what training programs put around it."""

from collections.abc import Callable, Mapping
from typing import Any

from ditta_adapt.errors import UnknownModelError


def unwrap(model: Any) -> Any:
    """The model itself, without what it is wrapped in for several devices, speed or fine-tuning.

    * `DataParallel` and `DistributedDataParallel` only spread batches, and `AveragedModel` holds
      averaged weights: their `.module`.
    * `torch.compile(model)` shares all weights with the model it was made from, which is taken.
      Its parts then run uncompiled, since a compiled whole has none.
    * PEFT: the base model with its adapters in place, which run as before. What is adapted to a
      video is the decoder, as ever, with the adapters inside of it; those in the encoder stay
      frozen as the encoder does.

    Anything else is returned as it is.

    Raises:
        UnknownModelError: wrapped so that its weights are not its own any more (fully sharded), or
            made into a program that has no parts (scripted, traced, exported).
    """
    while kind := _wrapper_kind(model):
        if kind in _REFUSED:
            raise UnknownModelError(f"wrap was given {_REFUSED[kind]}")
        model = _WRAPPERS[kind](model)
    return model


_WRAPPERS: Mapping[str, Callable[[Any], Any]] = {
    "DataParallel": lambda wrapper: wrapper.module,
    "DistributedDataParallel": lambda wrapper: wrapper.module,
    "AveragedModel": lambda wrapper: wrapper.module,
    "OptimizedModule": lambda wrapper: wrapper._orig_mod,
    "PeftModel": lambda wrapper: wrapper.get_base_model(),
    "PeftMixedModel": lambda wrapper: wrapper.base_model.model,
}
_REFUSED: Mapping[str, str] = {
    "FullyShardedDataParallel": (
        "a FullyShardedDataParallel model, whose weights lie in pieces on several devices. Give it "
        "the plain model with the gathered weights."
    ),
    "ScriptModule": (
        "a scripted or traced model, whose parts cannot be run and changed on their own. Give it "
        "the model it was made from."
    ),
    "ExportedProgram": (
        "an exported program, whose parts cannot be run and changed on their own. Give it the "
        "model it was made from."
    ),
}


def _wrapper_kind(model: object) -> str:
    """The name of the wrapper's class or of its base, so that its library is not imported."""
    for base in type(model).__mro__:
        known = base.__name__ in _WRAPPERS or base.__name__ in _REFUSED
        if known and base.__module__.partition(".")[0] in ("torch", "peft"):
            return base.__name__
    return ""
