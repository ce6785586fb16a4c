"""A rule: one named check of an adapter, and the helpers its body is written with."""

import unittest
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, NoReturn, TypeVar

import torch
from torch import Tensor

C = TypeVar("C")

# Of the largest value; what differently blocked convolutions may differ by.
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}
_HALF_TOLERANCE = 5e-2


class CheckFailure(AssertionError):
    """An adapter breaks a rule."""


@dataclass(frozen=True, slots=True)
class Rule(Generic[C]):
    """One named check.

    Attributes:
        name: of the check function.
        text: its docstring, which is the rule.
        hint: what to do where an adapter breaks it.
        needs: names of the checks without which this one means nothing.
        check: returns if the rule holds; raises anything if not, and `unittest.SkipTest` if it
            does not apply.
    """

    name: str
    text: str
    hint: str
    needs: tuple[str, ...]
    check: Callable[[C], None]


def rule(*, hint: str, needs: tuple[str, ...] = ()) -> Callable[[Callable[[C], None]], Rule[C]]:
    """Make a rule of a function; its name and docstring become the rule's."""

    def make(check: Callable[[C], None]) -> Rule[C]:
        return Rule(check.__name__, " ".join((check.__doc__ or "").split()), hint, needs, check)

    return make


def require(condition: bool, message: str) -> None:
    """Fail the check unless the condition holds.

    Raises:
        CheckFailure: it does not.
    """
    if not condition:
        raise CheckFailure(message)


def skip(reason: str) -> NoReturn:
    """End the check: it does not apply. Every test runner knows this exception."""
    raise unittest.SkipTest(reason)


def require_equal(found: Tensor, expected: Tensor, what: str) -> None:
    """Fail unless two tensors agree bit for bit."""
    _require_same_shape(found, expected, what)
    if not torch.equal(found, expected):
        raise CheckFailure(f"{what} differ by up to {_difference(found, expected):.3g}.")


def require_close(found: Tensor, expected: Tensor, what: str) -> None:
    """Fail unless two float tensors agree up to rounding, relative to the largest value."""
    _require_same_shape(found, expected, what)
    difference, scale = _difference(found, expected), float(expected.detach().abs().max())
    tolerance = _TOLERANCE.get(expected.dtype, _HALF_TOLERANCE)
    if not difference <= tolerance * max(scale, 1e-6):
        raise CheckFailure(
            f"{what} differ by up to {difference:.3g}, where the largest value is {scale:.3g} "
            f"and {tolerance:g} of it is allowed."
        )


def _require_same_shape(found: Tensor, expected: Tensor, what: str) -> None:
    if found.shape != expected.shape:
        raise CheckFailure(
            f"{what} have shapes {tuple(found.shape)} and {tuple(expected.shape)}; expected the "
            "same."
        )


def _difference(found: Tensor, expected: Tensor) -> float:
    difference = found.detach().double() - expected.detach().double()
    return float(difference.abs().max()) if found.numel() else 0.0
