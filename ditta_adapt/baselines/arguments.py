"""Checks of the arguments that several methods take."""

import math
from collections.abc import Sequence

from ditta_adapt.errors import InputError


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check that an argument is one of a few words.

    Raises:
        InputError: it is not.
    """
    if value not in choices:
        raise InputError(f"{name} is {value!r}; expected one of {list(choices)}.")


def check_number(name: str, value: object, low: float, high: float = math.inf) -> None:
    """Check that an argument is a finite number in `[low, high]`.

    Raises:
        InputError: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not low <= value <= high or math.isinf(value):  # type: ignore[operator,arg-type]
        upper = "" if math.isinf(high) else f" and at most {high}"
        raise InputError(f"{name} is {value!r}; expected a number of at least {low}{upper}.")


def check_count(name: str, value: object) -> None:
    """Check that an argument is an int of at least 1.

    Raises:
        InputError: it is not.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} is {value!r}; expected an int of at least 1.")
