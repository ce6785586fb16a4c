"""Folders of images as unlabelled videos."""

from pathlib import Path

from ditta_adapt.datasets.image_files import FrameFiles
from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import image_files, need_folder, need_frames, subfolders
from ditta_adapt.datasets.lazy import NoLabels
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError


def open_folder(root: Path) -> VideoDataset:
    """A folder of images is one video, in the natural order of their names; else a folder of such.

    Where images lie in `root` itself, folders beside them are left out.

    Raises:
        InputError: there is no such folder, or there are neither images nor folders in it.
    """
    need_folder(root, "images, or folders of images")
    if image_files(root):
        folders = {root.resolve().name: root}
    else:
        folders = {name: root / name for name in subfolders(root)}
    if not folders:
        raise InputError(f"{root} is empty; expected images, or folders of images.")

    def open_video(name: str) -> LabelledVideo:
        frames = FrameFiles(need_frames(folders[name]).values())
        return LabelledVideo(name, frames, NoLabels(frames))

    return ListedDataset("folder", tuple(folders), open_video)
