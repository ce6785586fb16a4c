"""VSPW, in its release with extracted frames (480p or full size).

    <root>/{train,val,test}.txt                  one video a line
    <root>/label_num_dic_final.json              class name -> id in the masks; may be missing
    <root>/data/<video>/origin/*.jpg
    <root>/data/<video>/mask/*.png               same names; 0 = others, 1..124 classes, 255 = void

Source: Miao et al., "VSPW: A Large-scale Dataset for Video Scene Parsing in the Wild", CVPR 2021.
Both 0 and 255 do not count; class `c` of the masks is label `c - 1`.
"""

import json
from pathlib import Path

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import label_table
from ditta_adapt.datasets.labelled_video import IGNORE, LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import (
    image_files,
    match_labels,
    need_file,
    need_folder,
    need_frames,
    read_video_names,
)
from ditta_adapt.datasets.lazy import NoLabels
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError

NUM_CLASSES = 124
MASK_LABELS = {0: IGNORE} | {value: value - 1 for value in range(1, NUM_CLASSES + 1)}


def open_vspw(root: Path, *, split: str = "val") -> VideoDataset:
    """VSPW.

    Args:
        root: the folder that holds `data/`.
        split: which list of videos, `<split>.txt`. Every frame must have a mask; only those of the
            split `test`, whose masks are not public, may come without their folder `mask`.

    Returns:
        124 classes, called by `label_num_dic_final.json`, or `class 0` and so on without it.

    Raises:
        InputError: a file or folder is missing, or the list or the class names make no sense.
    """
    need_folder(root, "VSPW: data/ and val.txt")
    data = need_folder(root / "data", "a folder for each video of VSPW")
    listed = need_file(root / f"{split}.txt", f"the videos of VSPW's split {split!r}, one a line")
    names = read_video_names(listed)
    for name in names:
        need_folder(data / name / "origin", f"the frames of a video that {listed} names")
    table = label_table(MASK_LABELS)

    def open_video(name: str) -> LabelledVideo:
        files = need_frames(data / name / "origin", (".jpg",))
        frames = FrameFiles(files.values())
        folder = data / name / "mask"
        if split == "test" and not folder.is_dir():
            return LabelledVideo(name, frames, NoLabels(frames))
        masks = image_files(need_folder(folder, "a mask for each frame"), (".png",))
        paths = match_labels(files, masks, folder=folder, complete=True)
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table))

    return ListedDataset("vspw", names, open_video, class_names=_class_names(root))


def _class_names(root: Path) -> tuple[str, ...]:
    path = root / "label_num_dic_final.json"
    if not path.is_file():
        return tuple(f"class {label}" for label in range(NUM_CLASSES))
    try:
        # Ids are written as strings.
        names = {int(value): name for name, value in json.loads(path.read_bytes()).items()}
        return tuple(names[value] for value in range(1, NUM_CLASSES + 1))
    except (AttributeError, TypeError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} does not name VSPW's classes ({type(error).__name__}: {error}); expected a "
            f"JSON object from name to id with the ids 1 to {NUM_CLASSES}. Without the file, "
            "classes are numbered."
        ) from error
