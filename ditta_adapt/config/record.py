"""Records of options: frozen, checked when they are made, and readable from JSON."""

import dataclasses
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ditta_adapt.errors import ConfigError

R = TypeVar("R", bound="Record")


@dataclass(frozen=True, slots=True)
class Range:
    """Which numbers a field takes: finite ones between two bounds.

    Attributes:
        low: the least.
        high: the largest.
        above: `low` itself is left out.
        below: `high` itself is left out.
    """

    low: float = 0
    high: float = math.inf
    above: bool = False
    below: bool = False

    def holds(self, value: float) -> bool:
        """Whether a number is one of them."""
        low = value > self.low if self.above else value >= self.low
        high = value < self.high if self.below else value <= self.high
        # Compared, not converted: an int may be larger than any float. NaN compares with nothing.
        return low and high and abs(value) <= sys.float_info.max

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"above {self.low}" if self.above else f"of at least {self.low}"
        return f"in {'(' if self.above else '['}{self.low}, {self.high}{')' if self.below else ']'}"


Share = Annotated[float, Range(0, 1)]
NotNegative = Annotated[float, Range()]
Positive = Annotated[float, Range(above=True)]
Count = Annotated[int, Range(1)]
Size = Annotated[int, Range()]
Seed = Annotated[int, Range(0, 2**63 - 1)]
"""What torch takes as a seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Base of all options: every field is checked against its annotation.

    Raises:
        ConfigError: a value has the wrong type or is out of its range.
    """

    def __post_init__(self) -> None:
        """Check every field, so that a wrong value fails here and not minutes later."""
        for name, hint in get_type_hints(type(self), include_extras=True).items():
            problem = _mismatch(getattr(self, name), hint)
            if problem:
                shown = f"{type(self).__name__}.{name} is {getattr(self, name)!r}"
                raise ConfigError(f"{shown}; expected {problem}.")

    def to_dict(self) -> dict[str, Any]:
        """All fields, as values that JSON can hold; `"kind"` names the record."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {"kind": type(self).__name__} | {key: _plain(v) for key, v in values.items()}

    @classmethod
    def from_dict(cls: type[R], values: Mapping[str, Any]) -> R:
        """Inverse of `to_dict`; `"kind"` may be missing, and so may fields.

        Raises:
            ConfigError: another kind, an unknown field, or a value out of range.
        """
        hints = get_type_hints(cls, include_extras=True)
        arguments = dict(values)
        kind = arguments.pop("kind", cls.__name__)
        unknown = sorted(set(arguments) - set(hints))
        if kind != cls.__name__ or unknown:
            what = f"unknown fields {unknown}" if unknown else f"a {kind}"
            raise ConfigError(f"{what}; expected a {cls.__name__} with {sorted(hints)}.")
        return cls(**{name: _parsed(value, hints[name]) for name, value in arguments.items()})


def _plain(value: object) -> object:
    if isinstance(value, Record):
        return value.to_dict()
    return list(value) if isinstance(value, tuple) else value


def _parsed(value: object, hint: Any) -> object:
    """A value that came from JSON as the field with this annotation wants it."""
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, Mapping):
        return value
    records = [option for option in _options(hint) if _is_record(option)]
    for record in records:
        if value.get("kind") == record.__name__ or len(records) == 1:
            return record.from_dict(value)
    names = [record.__name__ for record in records]
    raise ConfigError(f"kind is {value.get('kind')!r}; expected one of {names}.")


def _mismatch(value: object, hint: Any) -> str:
    """What was expected in place of a value; empty if it fits."""
    found = [_mismatch_of_option(value, option) for option in _options(hint)]
    return "" if "" in found else " or ".join(found)


def _mismatch_of_option(value: object, hint: Any) -> str:
    limits: list[Range] = []
    if get_origin(hint) is Annotated:
        hint, *limits = get_args(hint)
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        fits = isinstance(value, str) and value in choices
        return "" if fits else f"one of {list(choices)}"
    if get_origin(hint) is tuple:
        inner, *more = get_args(hint)
        length = None if Ellipsis in more else 1 + len(more)
        good = isinstance(value, tuple) and length in (None, len(value))
        if good and not any(_mismatch(item, inner) for item in value):  # type: ignore[attr-defined]
            return ""
        return f"a tuple of {length or 'some'} items, each {_mismatch(None, inner)}"
    if hint in (int, float):
        kinds = (int,) if hint is int else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        noun = "an integer" if hint is int else "a finite number"
        fits = number and all(limit.holds(value) for limit in limits)  # type: ignore[arg-type]
        return "" if fits else " ".join([noun, *map(str, limits)])
    if hint is NoneType:
        return "" if value is None else "None"
    if hint is bool:
        return "" if isinstance(value, bool) else "True or False"
    return "" if isinstance(value, hint) else f"a {hint.__name__}"


def _options(hint: Any) -> tuple[Any, ...]:
    """The members of a union; else the annotation itself."""
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _is_record(option: Any) -> bool:
    return isinstance(option, type) and issubclass(option, Record)
