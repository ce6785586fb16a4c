"""While a video streams: do the adapted weights still belong to what is seen?"""

from dataclasses import dataclass, replace

from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.ops.photometric import photometric_consistency_at_rest

CUT = 0.5
"""Share of the warm-up's mean consistency under which two frames show different scenes."""

SECOND_OPINION = 16
"""Frames between two comparisons of adapted and pre-trained weights."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the watchdog knows; a new one after every frame.

    Attributes:
        limit: share of what the pre-trained model is sure of that the adapted one may change.
        tolerance: of the photometric consistency.
        usual: mean photometric consistency in the warm-up; noise lowers it everywhere.
        frames: seen so far.
        left: the last frame of the scene that was left at a cut; none while that scene is seen.
        collapsed: whether the last second opinion found more changed than the limit.
    """

    limit: float
    tolerance: float
    usual: float = 1.0
    frames: int = 0
    left: UInt8[Tensor, "3 H W"] | None = None
    collapsed: bool = False

    @property
    def alarm(self) -> str | None:
        """Why pre-trained weights are used, in plain words; none while adapted ones are."""
        if self.left is not None:
            return "another scene than the one that was adapted to"
        if self.collapsed:
            return "the adapted weights change more than they should"
        return None

    @property
    def wants_opinion(self) -> bool:
        """Whether the next frame is due for a second opinion."""
        return self.frames % SECOND_OPINION == 0

    def after(
        self, before: UInt8[Tensor, "3 H W"], frame: UInt8[Tensor, "3 H W"], trust: float
    ) -> "Watch":
        """What is known after one more frame.

        A cut is where colours carried along the video no longer fit. The scene is back when a
        frame looks like the last one before the cut.

        Args:
            before: the frame before.
            frame: this frame.
            trust: mean photometric consistency of what was carried from one to the other.
        """
        left = self.left
        if left is None and trust < CUT * self.usual:
            left = before
        elif left is not None:
            same = photometric_consistency_at_rest(left, frame, tolerance=self.tolerance)
            left = None if same >= CUT * self.usual else left
        return replace(self, frames=self.frames + 1, left=left)

    def with_opinion(self, change: float) -> "Watch":
        """What is known after a second opinion: the share of sure pixels that is changed."""
        return replace(self, collapsed=change > self.limit)


def change_limit(flicker: float) -> float:
    """How much an adapted model may change later on: four times the flicker, at least a tenth.

    On videos where adaptation helped, it changed up to twice the flicker of the warm-up, and 3 %
    at most.
    """
    return max(0.1, 4 * flicker)
