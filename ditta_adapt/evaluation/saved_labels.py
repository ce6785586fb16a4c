"""Label maps that another program wrote, as a method among the others."""

from collections.abc import Iterable
from pathlib import Path

import torch
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.datasets.image_files import read_pixel_values
from ditta_adapt.datasets.labelled_video import LabelledVideo
from ditta_adapt.datasets.layout import image_files, need_folder
from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.frames import Frame, frame_size, frame_to_tensor
from ditta_adapt.progress import ProgressCallback, silent

PLACE = "{video}"
"""What stands for the name of a video in a folder."""


class SavedLabels:
    """A `Method` whose labels are in files, such as those of a video network.

    Adapting learns nothing. Files are the images of a folder in the natural order of their names,
    one for every frame of the video, also for those that are not scored: classes of the model as
    grey values of 8 or 16 bits, or as the indices of a palette.

    Args:
        folder: `DIR` for `DIR/<name of the video>`, or with `{video}` in it for that name.
        video: that is labelled.

    Raises:
        InputError: no such folder, or another number of images than of frames.
    """

    def __init__(self, folder: str, video: LabelledVideo) -> None:
        path = folder.replace(PLACE, video.name) if PLACE in folder else f"{folder}/{video.name}"
        self._files = list(image_files(need_folder(Path(path), "label maps, one a frame")).values())
        if len(self._files) != len(video.frames):
            raise InputError(
                f"{path} holds {len(self._files)} images, and video {video.name!r} has "
                f"{len(video.frames)} frames; expected one label map a frame."
            )
        self._next = 0

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> None:
        """See `Method`; of the frames only their number matters."""
        count = sum(1 for _ in frames)
        if not count:
            raise InputError("no frames: the iterable was empty.")
        self._next = count

    def go_to(self, t: int) -> None:
        """See `Positioned`."""
        self._next = t

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """The label map of the next frame, on the CPU.

        Raises:
            InputError: the video is over, the file is no label map.
            ShapeError: it is of another size than the frame.
        """
        size = frame_size(frame_to_tensor(frame))
        if self._next >= len(self._files):
            raise InputError(f"there are {len(self._files)} label maps, and no more.")
        path = self._files[self._next]
        labels = torch.from_numpy(read_pixel_values(path)).long()
        if labels.shape != size:
            raise ShapeError(
                f"{path} is {tuple(labels.shape)} (H, W) and its frame {size}; expected labels of "
                "the frame's size."
            )
        self._next += 1
        return labels

    def clear_memory(self) -> None:
        """The video starts over."""
        self._next = 0

    def reset(self) -> None:
        """The video starts over: there is nothing to forget."""
        self._next = 0


def check_saved_labels(folder: str) -> None:
    """Refuse a folder that is not there, as far as that is known before a video is.

    Raises:
        InputError: it is not there.
    """
    before, place, _ = folder.partition(PLACE)
    # The name may be a part of a folder's name only.
    known = Path(before + "x").parent if place else Path(folder)
    need_folder(known, "folders of label maps, one a video")
