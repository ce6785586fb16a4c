"""Video files, read and written frame by frame with PyAV (extra `video`)."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.errors import InputError
from ditta_adapt.io.optional import require


def read_video(path: str | Path, *, max_side: int | None = None) -> Iterator[np.ndarray]:
    """Decode a video, one frame at a time.

    Args:
        path: any file FFmpeg can read.
        max_side: scale frames down so that the longer side is at most this; both sides of a
            scaled frame are even.

    Yields:
        `(H, W, 3)` uint8 RGB.

    Raises:
        InputError: the file is missing, is no video, or breaks off with nothing decoded.
        MissingDependencyError: PyAV is not installed.
    """
    av = require("av")
    if not Path(path).is_file():
        raise InputError(f"there is no video at {path}.")
    count = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise InputError(f"{path} has no video stream.")
            for frame in container.decode(video=0):
                longer = max(frame.width, frame.height)
                if max_side is not None and longer > max_side:
                    width, height = (
                        max(2, 2 * round(side * max_side / longer / 2))
                        for side in (frame.width, frame.height)
                    )
                    frame = frame.reformat(width=width, height=height)
                count += 1
                yield frame.to_ndarray(format="rgb24")
    except av.FFmpegError as error:
        raise InputError(f"{path} cannot be read as a video: {error}") from error
    if count == 0:
        raise InputError(f"{path} has no frames.")


def write_video(path: str | Path, frames: Iterable[np.ndarray], *, fps: int = 12) -> None:
    """Encode `(H, W, 3)` uint8 RGB frames of one size as H.264; odd sides lose a pixel.

    Raises:
        InputError: there is no frame, or the file cannot be written.
        MissingDependencyError: PyAV is not installed.
    """
    av = require("av")
    stream: Any = None
    try:
        with av.open(str(path), mode="w") as container:
            for frame in frames:
                height, width = (side - side % 2 for side in frame.shape[:2])
                if stream is None:
                    stream = container.add_stream("libx264", rate=fps)
                    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                    stream.options = {"crf": "20"}
                image = np.ascontiguousarray(frame[:height, :width])
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            if stream is not None:
                container.mux(stream.encode())
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path} cannot be written: {error}") from error
    if stream is None:
        Path(path).unlink(missing_ok=True)
        raise InputError(f"no frames to write to {path}.")
