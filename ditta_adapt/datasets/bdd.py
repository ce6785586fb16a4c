"""BDDVid: clips of BDD100K around a frame that BDD10K has labels for.

    <root>/splits/valid_imgs_<train or val>.txt      <clip>_307 a line
    <root>/<split>/images/<clip>_<frame>.jpg         9 frames a clip, 303..311
    <root>/<split>/labels/<clip>_307.png             train ids of Cityscapes; 255 = void

Of the splits `train_orig_10k` and `val_orig_10k` the labelled frame is the image of BDD10K, to
which its label belongs pixel by pixel; in `train` and `val` it is taken from the video, of which
frame 307 is about the labelled one. The labels of both are the same, and may lie in `train/` and
`val/` alone.

Sources: Yu et al., "BDD100K: A Diverse Driving Dataset for Heterogeneous Multitask Learning", CVPR
2020; Kareer et al., "We're Not Using Videos Effectively: An Updated Domain Adaptive Video
Segmentation Baseline", TMLR 2024, whose program github.com/SimarKareer/UnifiedVideoDA makes this
layout.
"""

import re
from pathlib import Path

import numpy as np

from ditta_adapt.datasets.cityscapes import CLASSES
from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import identity_table
from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import need_file, need_folder, read_video_names
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError

AROUND = 4
"""Frames before the labelled one, and as many after it."""

_NAME = re.compile(r"(?P<clip>.+)_(?P<frame>\d+)")


def open_bdd(root: Path, *, split: str = "val_orig_10k") -> VideoDataset:
    """BDDVid's clips, each a video of 9 frames with a label at index 4.

    Args:
        root: the folder that holds `splits/` and a folder for each split.
        split: `val_orig_10k` to score, as its labels fit their frames; `train`, `val` or
            `train_orig_10k`.

    Returns:
        The 19 classes of Cityscapes; videos are called `<clip>_307` after the labelled frame.

    Raises:
        InputError: a file or folder is missing, or the list has an unknown name.
    """
    need_folder(root, "BDDVid: splits/ and a folder for each split, such as val_orig_10k/")
    frame_root = need_folder(root / split / "images", "frames called <clip>_<frame>.jpg")
    plain = split.removesuffix("_orig_10k")
    label_root = root / split / "labels"
    if not label_root.is_dir():
        label_root = need_folder(root / plain / "labels", "labels called <clip>_307.png")
    listed = root / "splits" / f"valid_imgs_{plain}.txt"
    need_file(listed, "the labelled frames of the split, <clip>_307 a line")
    numbers = {name: _number(name, listed) for name in read_video_names(listed)}
    table = identity_table(len(CLASSES))

    def open_video(name: str) -> LabelledVideo:
        clip, labelled = numbers[name]
        label = need_file(label_root / f"{name}.png", f"the label of a frame that {listed} names")
        frames = FrameFiles(
            need_file(
                frame_root / f"{clip}_{number}.jpg",
                f"one of the {2 * AROUND + 1} frames around {label.name}",
            )
            for number in range(labelled - AROUND, labelled + AROUND + 1)
        )
        paths = [label if index == AROUND else None for index in range(len(frames))]
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table))

    return ListedDataset(
        "bdd",
        tuple(numbers),
        open_video,
        class_names=[name for name, _, _ in CLASSES],
        palette=np.array([colour for _, _, colour in CLASSES], np.uint8),
    )


def _number(name: str, listed: Path) -> tuple[str, int]:
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(
            f"{listed} names {name!r}; expected <clip>_<frame>, such as 0a1b-2c3d_307."
        )
    return found["clip"], int(found["frame"])
