"""Frames and files: what comes in and goes out.

What adapters need is imported from here, and what reads and writes video files.
"""

from ditta_adapt.io.frames import Frame, FrameLike, frame_to_tensor
from ditta_adapt.io.optional import require
from ditta_adapt.io.quiet import no_loading_bars
from ditta_adapt.io.video import read_video, write_video

__all__ = [
    "Frame",
    "FrameLike",
    "frame_to_tensor",
    "no_loading_bars",
    "read_video",
    "require",
    "write_video",
]
