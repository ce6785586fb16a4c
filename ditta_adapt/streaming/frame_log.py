"""What happened at a frame of a stream, for those who want to tell about it."""

from dataclasses import dataclass

from ditta_adapt.safety.judge import Speaker


@dataclass(frozen=True, slots=True)
class FrameLog:
    """How the last frame came by its labels.

    Attributes:
        speaker: whose labels it got, see `Judge`.
        cut: whether another scene was found to begin here, or the first one to be back; on a GPU
            that is found one frame late.
        looked: whether the frozen model looked at it a second time.
    """

    speaker: Speaker
    cut: bool = False
    looked: bool = False
