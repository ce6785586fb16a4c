"""What goes into a layer, or comes out of it, caught while a model runs."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from torch import nn


@contextmanager
def caught_inputs(layer: nn.Module) -> Iterator[list[Any]]:
    """A list that fills with the first input of every call inside, given by position or by name."""
    caught = _Caught()
    handle = layer.register_forward_pre_hook(caught.input, with_kwargs=True)
    try:
        yield caught.values
    finally:
        handle.remove()


@contextmanager
def caught_outputs(layer: nn.Module) -> Iterator[list[Any]]:
    """A list that fills with the output of every call inside."""
    caught = _Caught()
    handle = layer.register_forward_hook(caught.output)
    try:
        yield caught.values
    finally:
        handle.remove()


@contextmanager
def stopped_after(layer: nn.Module) -> Iterator[None]:
    """Ends what runs inside when a layer has been run, since nothing more of it is needed."""
    handle = layer.register_forward_hook(_stop)
    try:
        with suppress(_EnoughError):
            yield
    finally:
        handle.remove()


class _Caught:
    def __init__(self) -> None:
        self.values: list[Any] = []

    def input(self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.values.append(args[0] if args else next(iter(kwargs.values()), None))

    def output(self, layer: nn.Module, args: Any, output: Any) -> None:
        self.values.append(output)


def _stop(layer: nn.Module, args: Any, output: Any) -> None:
    raise _EnoughError


class _EnoughError(BaseException):
    """Passes through models that catch exceptions."""
