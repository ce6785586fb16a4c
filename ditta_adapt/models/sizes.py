"""Which sizes of images a model takes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class SizeRule:
    """The sizes that a model takes.

    Attributes:
        multiple: what both sides have to be a multiple of.
        fixed: the one size `(H, W)` that it takes; none if there are more.
    """

    multiple: int = 1
    fixed: tuple[int, int] | None = None

    def nearest(self, height: int, width: int) -> tuple[int, int]:
        """The size `(H, W)` that is taken and nearest to another one."""
        if self.fixed is not None:
            return self.fixed
        return _nearest(height, self.multiple), _nearest(width, self.multiple)

    def probes(self) -> tuple[tuple[int, int], ...]:
        """Two sizes to try a model on: far from square, odd multiples of what is asked for."""
        if self.fixed is not None:
            return (self.fixed,)
        return tuple(self._odd(least) for least in _LEAST_SIDES)

    def _odd(self, least: int) -> tuple[int, int]:
        short = -(-least // self.multiple) | 1
        return short * self.multiple, (2 * short | 1) * self.multiple

    def __str__(self) -> str:
        if self.fixed is not None:
            return f"at {self.fixed[0]} x {self.fixed[1]}"
        return "at any size" if self.multiple == 1 else f"at multiples of {self.multiple}"


ANY_SIZE = SizeRule()
"""The rule of a model that takes images of any size."""

# Of the first, the coarsest grids of usual models still have cells; the second is another one.
_LEAST_SIDES = (97, 129)


def _nearest(side: int, multiple: int) -> int:
    return max(1, round(side / multiple)) * multiple


MULTIPLES = (1, 2, 4, 8, 14, 16, 32, 64, 128)
SQUARES = (224, 256, 384, 448, 512, 518, 640, 1024)


def find_size_rule(
    runs: Callable[[tuple[int, int]], object], known: Sequence[tuple[int, int]] = ()
) -> SizeRule:
    """The sizes that a model takes, found by trying.

    Args:
        runs: runs the model on noise of a size `(H, W)`, and raises what the model raises.
        known: sizes that its configuration names.

    Raises:
        Exception: what the model raised first, if it takes none of those that are tried.
    """
    errors: list[Exception] = []
    for rule in _rules(known):
        try:
            for size in rule.probes():
                runs(size)
        except (torch.OutOfMemoryError, MemoryError):
            raise
        # Whatever a model raises for a size that it does not take.
        except Exception as error:
            errors.append(error)
        else:
            return rule
    raise errors[0]


def _rules(known: Sequence[tuple[int, int]]) -> Iterator[SizeRule]:
    yield from (SizeRule(multiple) for multiple in MULTIPLES)
    yield from (SizeRule(fixed=size) for size in known)
    yield from (SizeRule(fixed=(side, side)) for side in SQUARES)
