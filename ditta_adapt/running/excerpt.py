"""Which frames of a video are taken."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from ditta_adapt.errors import InputError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A part of a video, and how densely it is taken.

    Attributes:
        start: seconds after the first frame; frames before are left out.
        end: likewise; frames from then on are left out. None for all of them.
        stride: every so many-th of what is left is taken, the first one among them.

    Raises:
        InputError: a negative start, an end that is not after it, or a stride under 1.
    """

    start: Fraction = Fraction(0)
    end: Fraction | None = None
    stride: int = 1

    def __post_init__(self) -> None:
        if self.start < 0:
            raise InputError(f"start is {float(self.start):g} s; expected at least 0.")
        if self.end is not None and self.end <= self.start:
            raise InputError(
                f"end is {float(self.end):g} s; expected more than the start, "
                f"{float(self.start):g} s."
            )
        if self.stride < 1:
            raise InputError(f"stride is {self.stride}; expected at least 1.")

    def of(self, frames: Iterable[tuple[Fraction, T]]) -> Iterator[tuple[Fraction, T]]:
        """Those of timed frames that are taken, one by one; nothing is read after the end.

        Args:
            frames: in order, each with its time in seconds; the first one is at 0 s.
        """
        first, taken = None, 0
        for time, frame in frames:
            first = time if first is None else first
            if self.end is not None and time - first >= self.end:
                return
            if time - first < self.start:
                continue
            if taken % self.stride == 0:
                yield time, frame
            taken += 1


def parse_seconds(text: str) -> Fraction:
    """Seconds of `"2.5"`, `"1:30"` or `"1:02:03.5"`.

    Raises:
        InputError: neither of these.
    """
    total = Fraction(0)
    try:
        for part in text.split(":"):
            # A sign or an exponent is not how people write the time in a video.
            if not part.replace(".", "", 1).isdecimal():
                raise ValueError
            total = 60 * total + Fraction(part)
    except ValueError:
        raise InputError(
            f"{text!r} is no time; expected seconds, such as 2.5, or minutes and seconds, 1:30."
        ) from None
    return total
