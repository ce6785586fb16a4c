"""Video files, read and written frame by frame with PyAV (extra `video`)."""

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np

from ditta_adapt.errors import DamagedFileWarning
from ditta_adapt.io.decoding import VideoFile
from ditta_adapt.io.encoding import write_video

__all__ = ["read_timed_video", "read_video", "write_video"]


def read_video(path: str | Path, *, max_side: int | None = None) -> Iterator[np.ndarray]:
    """Decode a video, one frame at a time, as players show it.

    Args:
        path: any file FFmpeg can read.
        max_side: scale frames down so that the longer side is at most this; both sides of a
            scaled frame are even.

    Yields:
        `(H, W, 3)` uint8 RGB: every frame that can be decoded, turned and mirrored by the file's
        display matrix. Colours of a file that does not name its matrix and range are taken as
        BT.601, limited; see `VideoFile`.

    Warns:
        DamagedFileWarning: after the last frame, if there should have been more of them.

    Raises:
        InputError: the file is missing, is no video, or nothing of it can be decoded.
        MissingDependencyError: PyAV is not installed.
    """
    for _, frame in read_timed_video(path, max_side=max_side):
        yield frame


def read_timed_video(
    path: str | Path, *, max_side: int | None = None
) -> Iterator[tuple[Fraction, np.ndarray]]:
    """Decode a video as `read_video`, each frame with its time.

    Yields:
        Seconds as the file has them, strictly increasing, not always from 0, and the frame. A frame
        without a time comes a frame of the nominal rate after the one before.

    Warns, Raises:
        As `read_video`.
    """
    video = VideoFile(path, max_side=max_side)
    yield from video
    if video.damage:
        warnings.warn(f"{path} is damaged: {video.damage}.", DamagedFileWarning, stacklevel=2)
