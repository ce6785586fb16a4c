"""Folders of frames and index labels, as CamVid and home-made data sets come.

<root>/<video>/images/*.png or *.jpg         or frames/ in place of images/
<root>/<video>/labels/*.png                  label ids, named as their frames; may be sparse
<root>/classes.txt                           one name a line, in the order of ids; may be missing
<root>/palette.txt                           "red green blue" a line, 0..255; may be missing
"""

from pathlib import Path

import numpy as np

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import identity_table
from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import (
    image_files,
    match_labels,
    need_folder,
    need_frames,
    read_lines,
    subfolders,
)
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError


def open_camvid(
    root: Path, *, num_classes: int | None = None, void: int | None = None
) -> VideoDataset:
    """A folder of videos, each with frames and labels for some or all of them.

    Args:
        root: the folder that holds a folder for each video.
        num_classes: needed only without `classes.txt`.
        void: a pixel value that does not count, beside 255; in CamVid with 11 classes it is 11.

    Raises:
        InputError: a folder is missing, the number of classes is not known or not in 1..255, or
            `palette.txt` has not a colour for each.
    """
    need_folder(root, "a folder for each video, with images/ (or frames/) and labels/")
    names = subfolders(root)
    if not names:
        raise InputError(f"{root} holds no video; expected <video>/images/ and <video>/labels/.")
    for name in names:
        _frame_folder(root / name)
        need_folder(root / name / "labels", "label images, named as their frames")
    class_names = _class_names(root, num_classes)
    table = identity_table(len(class_names), () if void is None else (void,))

    def open_video(name: str) -> LabelledVideo:
        files = need_frames(_frame_folder(root / name))
        frames = FrameFiles(files.values())
        folder = root / name / "labels"
        labels = image_files(folder, (".png",))
        paths = match_labels(files, labels, folder=folder, complete=False)
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table))

    palette = _palette(root, len(class_names))
    return ListedDataset("camvid", names, open_video, class_names=class_names, palette=palette)


def _frame_folder(video: Path) -> Path:
    found = [video / name for name in ("images", "frames") if (video / name).is_dir()]
    if len(found) != 1:
        raise InputError(
            f"{video} holds {'both' if found else 'neither'} images/ {'and' if found else 'nor'} "
            "frames/; expected one of them, with the frames of the video."
        )
    return found[0]


def _class_names(root: Path, num_classes: int | None) -> tuple[str, ...]:
    path = root / "classes.txt"
    if path.is_file():
        names = read_lines(path)
        if num_classes not in (None, len(names)):
            raise InputError(
                f"{path} names {len(names)} classes, but num_classes is {num_classes}; expected "
                "the same, or no num_classes."
            )
        return names
    if num_classes is None:
        raise InputError(
            f"there is no file {path}; expected the name of a class a line. Without names, say how "
            "many classes there are: num_classes=..."
        )
    return tuple(f"class {label}" for label in range(num_classes))


def _palette(root: Path, num_classes: int) -> np.ndarray | None:
    path = root / "palette.txt"
    if not path.is_file():
        return None
    lines = read_lines(path)
    if len(lines) != num_classes:
        raise InputError(
            f"{path} holds {len(lines)} colours for {num_classes} classes; expected a line each."
        )
    colours = [line.split() for line in lines]
    for line, colour in zip(lines, colours, strict=True):
        if len(colour) != 3 or not all(v.isdecimal() and int(v) <= 255 for v in colour):
            raise InputError(
                f"{path} holds the line {line!r}; expected three numbers in 0..255: red green blue."
            )
    return np.array(colours, dtype=int).astype(np.uint8)
