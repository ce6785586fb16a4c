"""Which frames are looked at closely: pairs of neighbours, evenly spread."""

from dataclasses import dataclass, replace

MOST, LEAST, EVERY = 75, 12, 50
"""Pairs that are kept; pairs of a short video; and frames from pair to pair in between.

The image model labels both frames of a pair, too: at most 150 frames, and of a video that is
not short at most 4 % of them.
"""


@dataclass(frozen=True, slots=True)
class Sampling:
    """Every `step`-th frame and the one before it; a new one after every frame that is taken.

    Where more frames come than were expected, every second one is let go, and from then on half as
    many are taken.

    Attributes:
        step: between frames that are taken.
        taken: their indices, from 0.
    """

    step: int = 1
    taken: tuple[int, ...] = ()

    @classmethod
    def expecting(cls, frames: int | None) -> "Sampling":
        """For a video of so many frames, or of nobody knows how many."""
        if frames is None:
            return cls(EVERY)
        return cls(max(min(EVERY, frames // LEAST), -(-frames // MOST), 1))

    def takes(self, index: int) -> bool:
        """Whether a frame is taken."""
        return index % self.step == 0

    def after(self, index: int) -> "Sampling":
        """Once a frame is over."""
        if not self.takes(index):
            return self
        taken = (*self.taken, index)
        if len(taken) <= MOST:
            return replace(self, taken=taken)
        step = 2 * self.step
        return Sampling(step, tuple(each for each in taken if each % step == 0))
