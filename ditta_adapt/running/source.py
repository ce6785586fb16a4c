"""Where the frames of a run come from: a file, images, or something live."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from ditta_adapt.datasets.layout import FRAME_SUFFIXES, need_frames
from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.decoding import USUAL_RATE, VideoFile
from ditta_adapt.io.files import is_file
from ditta_adapt.io.images import fitted, read_frame, stored_and_shown_size
from ditta_adapt.io.live_video import LiveVideo, is_live
from ditta_adapt.io.probe import probe_video

TimedFrames = Iterator[tuple[Fraction, np.ndarray]]


@dataclass(frozen=True, slots=True)
class Source:
    """A video that is to be labelled.

    Attributes:
        name: how it is called.
        read: its frames `(H, W, 3)` uint8 RGB with their times in seconds, from the start.
        rate: nominal frames a second.
        times: of its frames, as far as that is known without decoding; none of something live.
        files: that it is read from; none of something live.
        sound: the file that its sound is in, if it has one.
        notes: what the user is to know of it; grows while it is read.
    """

    name: str
    read: Callable[[], TimedFrames]
    rate: Fraction
    times: Sequence[Fraction] | None = None
    files: Sequence[Path] = ()
    sound: Path | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether it can be read only once, and ends when it is stopped."""
        return self.times is None


def open_source(
    names: Sequence[str], *, max_side: int | None = None, rate: Fraction | None = None
) -> Source:
    """The video of a name, or of several names of images.

    Args:
        names: one video file, folder of images, device, address of a stream, or `-` for standard
            input; or image files, in their order.
        max_side: frames are scaled down so that the longer side is at most this.
        rate: frames a second of images, 25 if not said.

    Raises:
        InputError: there is no such file or folder; it is no video; no image in it can be read;
            or images differ in size.
        MissingDependencyError: PyAV or Pillow is not installed.
    """
    (name, *more) = names
    if more or Path(name).suffix.lower() in FRAME_SUFFIXES:
        return _images(Path(name).stem, [Path(each) for each in names], max_side, rate)
    if is_live(name):
        return _live(name, max_side)
    path = Path(name)
    if os.path.isdir(path):
        return _images(path.resolve().name, list(need_frames(path).values()), max_side, rate)
    return _file(path, max_side)


def are_images(names: Sequence[str]) -> bool:
    """Whether all of these are called like image files, and so are one video."""
    return all(Path(name).suffix.lower() in FRAME_SUFFIXES for name in names)


def _file(path: Path, max_side: int | None) -> Source:
    info = probe_video(path)
    notes: list[str] = []
    if info.hdr:
        notes.append(
            f"the video is of high dynamic range ({info.hdr}); its colours are taken as they are, "
            "without tone mapping"
        )

    def read() -> TimedFrames:
        video = VideoFile(path, max_side=max_side)
        yield from video
        if video.damage:
            notes.append(f"the file is damaged: {video.damage}")

    return Source(
        name=path.name,
        read=read,
        rate=info.rate,
        times=info.times,
        files=(path,),
        sound=path if info.sound else None,
        notes=notes,
    )


def _live(name: str, max_side: int | None) -> Source:
    video = LiveVideo(name, max_side=max_side)
    return Source("standard input" if name == "-" else name, lambda: iter(video), USUAL_RATE)


def _images(
    name: str, paths: Sequence[Path], max_side: int | None, rate: Fraction | None
) -> Source:
    frames, notes = _readable(paths)
    own = rate or USUAL_RATE

    def read() -> TimedFrames:
        for index, path in enumerate(frames):
            try:
                image = read_frame(path)
            # The header could be read, the pixels cannot.
            except InputError as error:
                notes.append(f"left out: {error}")
                continue
            yield index / own, image if max_side is None else fitted(image, max_side)

    times = [index / own for index in range(len(frames))]
    return Source(name, read, own, times, tuple(frames), None, notes)


def _readable(paths: Sequence[Path]) -> tuple[list[Path], list[str]]:
    """The images whose headers can be read, all of one size, and what is wrong with the others."""
    found: list[Path] = []
    notes: list[str] = []
    size: tuple[int, int] | None = None
    for path in paths:
        if not is_file(path):
            raise InputError(f"there is no image at {path}.")
        try:
            _, own = stored_and_shown_size(path)
        except InputError as error:
            notes.append(f"left out: {error}")
            continue
        if size is not None and own != size:
            raise ShapeError(
                f"{path} is {own} (H, W) but {found[0]} is {size}; expected images of one size."
            )
        size = own
        found.append(path)
    if not found:
        raise InputError(f"none of {len(paths)} images can be read; the first one is {notes[0]}")
    return found, notes
