"""SYNTHIA's video sequences, such as SYNTHIA-SEQS-04-DAWN, with a label for each frame.

    <root>/SYNTHIA-SEQS-*/RGB/<side>/<camera>/*.png
    <root>/SYNTHIA-SEQS-*/GT/LABELS/<side>/<camera>/*.png     16 bits; the first channel is a class

`root` may also be one sequence itself, with RGB/ and GT/.

Sources: Ros et al., "The SYNTHIA Dataset: A Large Collection of Synthetic Images for Semantic
Segmentation of Urban Scenes", CVPR 2016; the README of SYNTHIA-SEQS-04-DAWN for ids and colours.
Ids 0 (void), 13 and 14 (reserved) do not count. The second channel tells instances apart and is
not read.
"""

from pathlib import Path

import numpy as np

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles, read_first_channel
from ditta_adapt.datasets.label_table import label_table
from ditta_adapt.datasets.labelled_video import IGNORE, LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import (
    image_files,
    match_labels,
    need_folder,
    need_frames,
    subfolders,
)
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError

# Name, id in the labels, colour; the position is the label.
CLASSES = (
    ("Sky", 1, (128, 128, 128)),
    ("Building", 2, (128, 0, 0)),
    ("Road", 3, (128, 64, 128)),
    ("Sidewalk", 4, (0, 0, 192)),
    ("Fence", 5, (64, 64, 128)),
    ("Vegetation", 6, (128, 128, 0)),
    ("Pole", 7, (192, 192, 128)),
    ("Car", 8, (64, 0, 128)),
    ("Traffic Sign", 9, (192, 128, 128)),
    ("Pedestrian", 10, (64, 64, 0)),
    ("Bicycle", 11, (0, 128, 192)),
    ("Lanemarking", 12, (0, 172, 0)),
    ("Traffic Light", 15, (0, 128, 128)),
)
LABEL_IDS = dict.fromkeys((0, 13, 14), IGNORE) | {
    label_id: label for label, (_, label_id, _) in enumerate(CLASSES)
}
_PREFIX = "SYNTHIA-SEQS-"


def open_synthia_seq(
    root: Path, *, camera: str = "Omni_F", side: str = "Stereo_Left"
) -> VideoDataset:
    """SYNTHIA's sequences, each a video as one of the eight cameras saw it.

    Args:
        root: the folder that holds `SYNTHIA-SEQS-04-DAWN/` or others, or one of them.
        camera: `Omni_F`, `Omni_B`, `Omni_L` or `Omni_R`: to the front, back, left or right.
        side: `Stereo_Left` or `Stereo_Right`.

    Returns:
        13 classes; videos are called by their sequences.

    Raises:
        InputError: a folder is missing, or there is no sequence.
    """
    need_folder(root, "SYNTHIA's sequences: SYNTHIA-SEQS-04-DAWN/ or others")
    if (root / "RGB").is_dir():
        folders = {root.resolve().name: root}
    else:
        folders = {name: root / name for name in subfolders(root) if name.startswith(_PREFIX)}
    if not folders:
        raise InputError(f"{root} holds no sequence; expected {_PREFIX}*/, or RGB/ and GT/.")
    for folder in folders.values():
        need_folder(_frames(folder) / side / camera, "the frames of a camera")
        need_folder(_labels(folder) / side / camera, "the labels of a camera")
    table = label_table(LABEL_IDS)

    def open_video(name: str) -> LabelledVideo:
        files = need_frames(_frames(folders[name]) / side / camera, (".png",))
        frames = FrameFiles(files.values())
        folder = _labels(folders[name]) / side / camera
        # Programs for domain adaptation write their own beside the labels.
        labels = {
            stem: path
            for stem, path in image_files(folder, (".png",)).items()
            if "_labelTrainIds" not in stem
        }
        paths = match_labels(files, labels, folder=folder, complete=True)
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table, read_first_channel))

    return ListedDataset(
        "synthia_seq",
        tuple(folders),
        open_video,
        class_names=[name for name, _, _ in CLASSES],
        palette=np.array([colour for _, _, colour in CLASSES], np.uint8),
    )


def _frames(sequence: Path) -> Path:
    return sequence / "RGB"


def _labels(sequence: Path) -> Path:
    return sequence / "GT" / "LABELS"
