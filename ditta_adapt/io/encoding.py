"""Video files written: frames encoded as H.264, at a rate or at times of their own."""

import math
import os
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.files import as_path
from ditta_adapt.io.optional import require
from ditta_adapt.io.sound import SoundTrack

# Of times of their own: the clock of MPEG, in which the usual rates of video are whole numbers.
_TICK = Fraction(1, 90_000)
_SLOWEST = Fraction(1, 1000)


def write_video(
    path: str | Path,
    frames: Iterable[np.ndarray],
    *,
    fps: float | Fraction = 12,
    times: Iterable[float | Fraction] | None = None,
) -> None:
    """Encode frames as H.264.

    The file is complete before it takes the place of an older one; where writing fails, the older
    one stays.

    Args:
        path: its suffix says the format, such as `.mp4`.
        frames: `(H, W, 3)` uint8 RGB of one size, at least one. A side that is odd gets one more
            pixel, a copy of the last.
        fps: frames a second, 1/1000 to 90000; 29.97 and such are kept as they are.
        times: when each frame is shown: seconds, strictly increasing by at least 1/90000, one a
            frame. The first frame is shown at once, the others as long after it as the times say,
            and of `fps` only the length of the last frame is taken.

    Raises:
        InputError: there is no frame, `fps` or `times` are not as above, or the file cannot be
            written.
        ShapeError: a frame is of another size than the first.
        MissingDependencyError: PyAV is not installed.
    """
    with VideoWriter(path, fps=fps, timed=times is not None) as writer:
        if times is None:
            for frame in frames:
                writer.write(frame)
            return
        for index, (frame, time) in enumerate(zip_longest(frames, times)):
            if frame is None or time is None:
                raise InputError(
                    f"there are {index} {'frames' if frame is None else 'times'} and more "
                    f"{'times' if frame is None else 'frames'}; expected one time a frame."
                )
            writer.write(frame, time)


class VideoWriter:
    """Encodes frames as H.264, one at a time, as `write_video`; a context.

    Where the context is left without an error the file takes the place of an older one; else
    nothing is left of it.

    Args:
        path: its suffix says the format, such as `.mp4`.
        fps: frames a second, 1/1000 to 90000.
        timed: whether every frame comes with its time.
        sound: of the video that the frames are of, to be heard with them.

    Raises:
        InputError: `fps` is not as above; there was no frame; a time is not as in `write_video`;
            or the file cannot be written.
        ShapeError: a frame is of another size than the first.
        MissingDependencyError: PyAV is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        fps: float | Fraction = 12,
        timed: bool = False,
        sound: SoundTrack | None = None,
    ) -> None:
        self.path, self._rate, self._sound = as_path(path), _rate(fps), sound
        self._time_base = _TICK if timed else 1 / self._rate
        # Beside the file, so that it can take its place in one step.
        self._partial = self.path.with_name(f".{uuid.uuid4().hex}{self.path.suffix}")
        self._timed, self._count, self._last = timed, 0, -1
        self._first: Fraction | None = None
        self._size: tuple[int, ...] = ()
        self._container: Any = None
        self._stream: Any = None

    def __enter__(self) -> "VideoWriter":
        av = require("av")
        with _named_errors(self.path):
            self._container = av.open(str(self._partial), mode="w")
        return self

    def write(self, frame: np.ndarray, time: float | Fraction | None = None) -> None:
        """Encode one more frame.

        Args:
            frame: `(H, W, 3)` uint8 RGB.
            time: seconds, where frames are timed.
        """
        stamp = self._stamp(time)
        if self._stream is None:
            self._size = frame.shape
            with _named_errors(self.path):
                self._stream = _add_stream(self._container, self._size, self._rate, self._time_base)
                if self._sound is not None:
                    self._sound.add_to(self._container)
        if frame.shape != self._size:
            raise ShapeError(
                f"a frame to write to {self.path} has shape {frame.shape}, but the first one has "
                f"{self._size}; expected frames of one size."
            )
        with _named_errors(self.path):
            encoded = _video_frame(frame, stamp, self._time_base)
            self._container.mux(self._stream.encode(encoded))
            if self._sound is not None:
                self._sound.mux(until=stamp * self._time_base)

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        av = require("av")
        try:
            if kind is None:
                self._finish()
        finally:
            # Where writing failed, so does closing; the first error is the one to tell.
            with suppress(av.FFmpegError, OSError):
                self._container.close()
            with suppress(OSError):
                self._partial.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._stream is None:
            raise InputError(f"no frames to write to {self.path}.")
        with _named_errors(self.path):
            self._container.mux(self._stream.encode())
            if self._sound is not None:
                self._sound.mux(until=self._last * self._time_base + 1 / self._rate)
            self._container.close()
            os.replace(self._partial, self.path)

    def _stamp(self, time: float | Fraction | None) -> int:
        """Time since the first frame, in units of the time base."""
        index, self._count = self._count, self._count + 1
        if not self._timed:
            self._last = index
            return index
        if time is None or not math.isfinite(time):
            raise InputError(f"time {index} is {time}; expected seconds.")
        seconds = time if isinstance(time, Fraction) else Fraction(float(time))
        self._first = seconds if self._first is None else self._first
        stamp = round((seconds - self._first) / _TICK)
        if stamp <= self._last:
            raise InputError(
                f"time {index} is {float(time)}, not after the one before; expected strictly "
                "increasing seconds, at least 1/90000 apart."
            )
        self._last = stamp
        return stamp


def _rate(fps: float | Fraction) -> Fraction:
    if not (math.isfinite(fps) and _SLOWEST <= fps <= 1 / _TICK):
        raise InputError(f"fps is {fps}; expected frames a second, {_SLOWEST} to {1 / _TICK}.")
    # 1001 is the denominator of the rates of NTSC.
    exact = fps if isinstance(fps, Fraction) else Fraction(float(fps))
    return exact.limit_denominator(1001)


def _add_stream(container: Any, shape: tuple[int, ...], rate: Fraction, time_base: Fraction) -> Any:
    stream = container.add_stream("libx264", rate=rate)
    stream.height, stream.width = (side + side % 2 for side in shape[:2])
    stream.pix_fmt = "yuv420p"
    # With its trees of macroblocks x264 writes another file every time.
    stream.options = {"crf": "20", "preset": "superfast", "x264-params": "mbtree=0"}
    stream.codec_context.time_base = time_base
    return stream


def _video_frame(frame: np.ndarray, stamp: int, time_base: Fraction) -> Any:
    height, width = frame.shape[:2]
    padded = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    encoded = require("av").VideoFrame.from_ndarray(padded, format="rgb24")
    encoded.pts, encoded.time_base = stamp, time_base
    return encoded


@contextmanager
def _named_errors(path: Path) -> Iterator[None]:
    """Errors of PyAV and of the disk inside say which file was to be written."""
    av = require("av")
    try:
        yield
    # A format that is unknown, or holds no H.264, is a ValueError.
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be written: {reason}") from error
