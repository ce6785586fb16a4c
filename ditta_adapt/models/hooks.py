"""What goes into a layer, or comes out of it, caught while a model runs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def caught_inputs(layer: nn.Module) -> Iterator[list[Any]]:
    """A list that fills with the first input of every call inside, given by position or by name."""
    caught: list[Any] = []

    def catch(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        caught.append(args[0] if args else next(iter(kwargs.values()), None))

    handle = layer.register_forward_pre_hook(catch, with_kwargs=True)
    try:
        yield caught
    finally:
        handle.remove()


@contextmanager
def caught_outputs(layer: nn.Module) -> Iterator[list[Any]]:
    """A list that fills with the output of every call inside."""
    caught: list[Any] = []
    handle = layer.register_forward_hook(lambda _, __, output: caught.append(output))
    try:
        yield caught
    finally:
        handle.remove()
