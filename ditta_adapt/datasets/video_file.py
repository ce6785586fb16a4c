"""A video file as an unlabelled video, decoded as it is read (extra `video`)."""

import warnings
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import need_file
from ditta_adapt.datasets.lazy import LazySequence, NoLabels
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import DamagedFileWarning, InputError
from ditta_adapt.io.decoding import VideoFile

_KEPT = 8


class VideoFrames(LazySequence[np.ndarray]):
    """The frames of a video file; nothing but the last few is held in memory.

    What it costs, for a video of `n` frames: the length, asked for or needed by the first access
    by index, decodes the video once, since headers are often wrong about it. Reading in order,
    by index or as an iterator, decodes it once more. Going back by up to 7 frames is free; going
    back further decodes from the start again, up to the frame asked for.

    Of a damaged file every frame is there that can be decoded, and a warning says so once, a
    `DamagedFileWarning`. Not to be shared by threads.

    Attributes:
        path: of the file.
        damage: how much of a damaged file could be decoded, and why not all; empty if it is whole.
            Known once its length was asked for, or it was read to its end.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.damage = path, ""
        self._length: int | None = None
        self._decoder: Iterator[np.ndarray] = iter(())
        self._decoded = 0
        self._last: deque[np.ndarray] = deque(maxlen=_KEPT)

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(1 for _ in self)
        return self._length

    def __iter__(self) -> Iterator[np.ndarray]:
        video = VideoFile(self.path)
        for _, frame in video:
            yield frame
        if video.damage and not self.damage:
            self.damage = video.damage
            warnings.warn(
                f"{self.path} is damaged: {self.damage}.", DamagedFileWarning, stacklevel=2
            )

    def _read(self, index: int) -> np.ndarray:
        if self._decoded == 0 or index < self._decoded - len(self._last):
            self._decoder, self._decoded = iter(self), 0
            self._last.clear()
        while self._decoded <= index:
            frame = next(self._decoder, None)
            if frame is None:
                raise InputError(
                    f"{self.path} ended at frame {self._decoded} of {self._length}; it was "
                    "changed while it was read."
                )
            self._last.append(frame)
            self._decoded += 1
        # A copy: the caller may write into it, and the frame may be asked for again.
        return self._last[index - self._decoded].copy()


def open_video_file(root: Path) -> VideoDataset:
    """One video file, any that FFmpeg can read, as a data set of one video without labels.

    Raises:
        InputError: there is no such file. Whether it is a video shows when it is read.
    """
    path = need_file(root, "a video file")

    def open_video(name: str) -> LabelledVideo:
        frames = VideoFrames(path)
        return LabelledVideo(name, frames, NoLabels(frames))

    return ListedDataset("video", (path.stem,), open_video)
