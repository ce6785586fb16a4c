"""VIPER: videos of a driving game with a label for each frame.

    <root>/<split>/img/<sequence>/<sequence>_<frame>.jpg      or .png
    <root>/<split>/cls/<sequence>/<sequence>_<frame>.png      indexed: the id of a class

Sources: Richter et al., "Playing for Benchmarks", ICCV 2017; `classes.csv` and the description of
the labels in the benchmark's toolkit, github.com/srrichter/viper. The indices are read, not the
colours, since van and train share one. Of the 32 ids 0 (unlabeled) and 1 (ambiguous) do not count;
id `c` is label `c - 2`.
"""

from pathlib import Path

import numpy as np

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import label_table
from ditta_adapt.datasets.labelled_video import IGNORE, LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import (
    image_files,
    match_labels,
    need_folder,
    need_frames,
    subfolders,
)
from ditta_adapt.datasets.lazy import NoLabels
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError

# Name and colour; the position is the id less 2.
CLASSES = (
    ("sky", (70, 130, 180)),
    ("road", (128, 64, 128)),
    ("sidewalk", (244, 35, 232)),
    ("railtrack", (230, 150, 140)),
    ("terrain", (152, 251, 152)),
    ("tree", (87, 182, 35)),
    ("vegetation", (35, 142, 35)),
    ("building", (70, 70, 70)),
    ("infrastructure", (153, 153, 153)),
    ("fence", (190, 153, 153)),
    ("billboard", (150, 20, 20)),
    ("trafficlight", (250, 170, 30)),
    ("trafficsign", (220, 220, 0)),
    ("mobilebarrier", (180, 180, 100)),
    ("firehydrant", (173, 153, 153)),
    ("chair", (168, 153, 153)),
    ("trash", (81, 0, 21)),
    ("trashcan", (81, 0, 81)),
    ("person", (220, 20, 60)),
    ("animal", (255, 0, 0)),
    ("bicycle", (119, 11, 32)),
    ("motorcycle", (0, 0, 230)),
    ("car", (0, 0, 142)),
    ("van", (0, 80, 100)),
    ("bus", (0, 60, 100)),
    ("truck", (0, 0, 70)),
    ("trailer", (0, 0, 90)),
    ("train", (0, 80, 100)),
    ("plane", (0, 100, 100)),
    ("boat", (50, 0, 90)),
)
LABEL_IDS = {0: IGNORE, 1: IGNORE} | {label + 2: label for label in range(len(CLASSES))}


def open_viper(root: Path, *, split: str = "val", complete: bool = True) -> VideoDataset:
    """VIPER's sequences, each a video.

    Args:
        root: the folder that holds `train/` and `val/`.
        split: `train`, `val` or `test`, whose labels are not public: it may come without `cls/`.
        complete: whether every frame must have a label. False if only a part of the labels is
            there, as the download is split by the last digit of the frame.

    Returns:
        30 classes; videos are called by their sequences.

    Raises:
        InputError: a folder is missing, or there is no sequence.
    """
    need_folder(root, "VIPER: train/ and val/, each with img/ and cls/")
    frame_root = need_folder(root / split / "img", "a folder of frames per sequence")
    label_root = root / split / "cls"
    labelled = split != "test" or label_root.is_dir()
    names = subfolders(frame_root)
    if not names:
        raise InputError(f"{frame_root} is empty; expected a folder of frames per sequence.")
    if labelled:
        need_folder(label_root, "a folder of labels per sequence")
        for name in names:
            need_folder(label_root / name, f"the labels for {frame_root / name}")
        for name in subfolders(label_root):
            need_folder(frame_root / name, f"the frames for {label_root / name}")
    table = label_table(LABEL_IDS)

    def open_video(name: str) -> LabelledVideo:
        files = need_frames(frame_root / name, (".jpg", ".png"))
        frames = FrameFiles(files.values())
        if not labelled:
            return LabelledVideo(name, frames, NoLabels(frames))
        folder = label_root / name
        # Programs for domain adaptation write their own beside the labels.
        labels = {
            stem: path
            for stem, path in image_files(folder, (".png",)).items()
            if not stem.endswith("_labelTrainIds")
        }
        paths = match_labels(files, labels, folder=folder, complete=complete)
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table))

    return ListedDataset(
        "viper",
        names,
        open_video,
        class_names=[name for name, _ in CLASSES],
        palette=np.array([colour for _, colour in CLASSES], np.uint8),
    )
