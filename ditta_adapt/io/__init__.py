"""Frames and files: what comes in and goes out.

What adapters need is imported from here.
"""

from ditta_adapt.io.frames import Frame, frame_to_tensor
from ditta_adapt.io.optional import require
from ditta_adapt.io.quiet import no_loading_bars

__all__ = ["Frame", "frame_to_tensor", "no_loading_bars", "require"]
