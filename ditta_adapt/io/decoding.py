"""A video file decoded: every frame that can be, as it is shown, with its time."""

from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.errors import InputError
from ditta_adapt.io.files import as_path, is_file
from ditta_adapt.io.optional import require
from ditta_adapt.io.orientation import UPRIGHT, display_orientation, turned
from ditta_adapt.io.scaling import scaled_size

USUAL_RATE = Fraction(25)
"""Frames a second where nothing says how many."""


class VideoFile:
    """The frames of a video file; every iteration decodes it from the start.

    Iterating gives every frame that can be decoded, `(time, frame)`. What is broken in between is
    skipped, and at a broken end the decoder gives out what it still holds. The iterator's `close`
    lets the file, or the device, go before the last frame.

    * Times are seconds as the file has them, strictly increasing. A frame without a time, or with
      one that is not after the last, comes a frame of the nominal rate after it.
    * Frames are `(H, W, 3)` uint8 RGB, arrays of the caller's own, turned and mirrored by the
      file's display matrix; a matrix that is no quarter turn, mirrored or not, leaves them as
      stored.
    * Pixels that are not square stay as they are stored.
    * Colours are converted by the matrix (BT.709, BT.601, ...) and the range that the file names;
      where it names none, as BT.601 in limited range, as FFmpeg does.

    Iterating raises:
        InputError: the file is missing, is no video, or nothing of it can be decoded.
        MissingDependencyError: PyAV is not installed.

    Attributes:
        path: of the file.
        damage: how many frames could be decoded of a damaged file, and what is wrong with it;
            empty if nothing is. Known after a complete iteration.
    """

    def __init__(self, path: str | Path, *, max_side: int | None = None) -> None:
        """Any file FFmpeg can read; nothing is opened yet.

        Args:
            path: of the file.
            max_side: scale frames down so that the longer side is at most this; both sides of a
                scaled frame are even.
        """
        self.path, self.damage = as_path(path), ""
        self._max_side = max_side

    def __iter__(self) -> Generator[tuple[Fraction, np.ndarray], None, None]:
        av = require("av")
        count, problems = 0, list[str]()
        try:
            with self._open() as container:
                if not container.streams.video:
                    raise InputError(f"{self.path} has no video stream.")
                stream = container.streams.video[0]
                rate = stream.guessed_rate or stream.average_rate or USUAL_RATE
                time = None
                for frame in _decoded(container, stream, problems):
                    stamp = None if frame.pts is None else frame.pts * stream.time_base
                    time = time_after(time, stamp, 1 / Fraction(rate))
                    count += 1
                    yield time, _shown(frame, self._max_side)
        except av.FFmpegError as error:
            raise InputError(f"{self.path} cannot be read as a video: {error}") from error
        if count == 0 and problems:
            raise InputError(f"{self.path} cannot be read as a video: {problems[0]}")
        if count == 0:
            raise InputError(f"{self.path} has no frames.")
        self.damage = f"only {count} frames could be decoded ({problems[0]})" if problems else ""

    def _open(self) -> Any:
        """A container of PyAV, read from its start."""
        if not is_file(self.path):
            raise InputError(f"there is no video at {self.path}.")
        return require("av").open(str(self.path))


def time_after(last: Fraction | None, stamp: Fraction | None, step: Fraction) -> Fraction:
    """The time of a frame: its own where that is after the last frame's, else a step after it.

    Args:
        last: time of the frame before, or none.
        stamp: what the file says, or none.
        step: seconds from frame to frame, over 0.
    """
    if stamp is not None and (last is None or stamp > last):
        return stamp
    return Fraction(0) if last is None else last + step


def _decoded(container: Any, stream: Any, problems: list[str]) -> Iterator[Any]:
    """The frames of a stream; what goes wrong in between is added to the problems."""
    av = require("av")
    if stream.codec_context is None:
        problems.append("FFmpeg has no decoder for it")
        return
    packets = 0
    for packet in _packets(container, stream, problems):
        if packet is not None and packet.size == 0 and packet.dts is not None:
            continue  # Holds nothing, and would end the decoding.
        packets += packet is not None and packet.size > 0
        try:
            frames = stream.decode(packet)
        except av.FFmpegError as error:
            problems.append(error.strerror)
            continue
        yield from frames
    # MP4 lists its packets in one place: this shows where the file ends between two of them.
    if not problems and "mp4" in container.format.name:
        listed = sum(entry.size > 0 for entry in stream.index_entries)
        if packets < listed:
            problems.append("the file ends early")


def _packets(container: Any, stream: Any, problems: list[str]) -> Iterator[Any]:
    """The packets of a stream, then an empty one, at which the decoder gives out what it holds."""
    av = require("av")
    try:
        yield from container.demux(stream)
    except av.FFmpegError as error:
        problems.append(error.strerror)
        yield None


def _shown(frame: Any, max_side: int | None) -> np.ndarray:
    matrix = frame.side_data.get("DISPLAYMATRIX")
    orientation = UPRIGHT if matrix is None else display_orientation(bytes(matrix))
    if max_side is not None and max(frame.width, frame.height) > max_side:
        height, width = scaled_size((frame.height, frame.width), max_side)
        frame = frame.reformat(width=width, height=height, format="rgb24")
    return np.array(turned(frame.to_ndarray(format="rgb24"), orientation), order="C")
