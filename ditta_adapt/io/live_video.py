"""A video that comes while it is read: a camera, the address of a stream, standard input."""

import sys
from pathlib import Path
from typing import Any

from ditta_adapt.io.decoding import VideoFile
from ditta_adapt.io.optional import require

STANDARD_INPUT = "-"
# How FFmpeg calls the cameras of a system.
_CAMERAS = {"linux": "v4l2", "darwin": "avfoundation", "win32": "dshow"}


def is_live(name: str) -> bool:
    """Whether a name is that of a device, of a stream, or of standard input; see `LiveVideo`."""
    return name == STANDARD_INPUT or "://" in name or _is_device(name)


def _is_device(name: str) -> bool:
    try:
        return Path(name).is_char_device()
    # Too long a name for the disk.
    except OSError:
        return False


class LiveVideo(VideoFile):
    """The frames of a live video, which can be read once.

    Frames come as they are decoded, see `VideoFile`; what is not read in time is kept or dropped
    as the device or the protocol does.

    Args:
        name: `-` for standard input, an address such as `rtsp://...`, or a device such as
            `/dev/video0`.
        max_side: see `VideoFile`.
    """

    def __init__(self, name: str, *, max_side: int | None = None) -> None:
        super().__init__(name, max_side=max_side)
        self.name = name

    def _open(self) -> Any:
        av = require("av")
        if self.name == STANDARD_INPUT:
            return av.open(sys.stdin.buffer)
        if _is_device(self.name):
            return av.open(self.name, format=_CAMERAS.get(sys.platform))
        return av.open(self.name)
