"""Cityscapes' video snippets: 30 frames each, of which one has labels.

    <root>/leftImg8bit_sequence/<split>/<city>/<city>_<sequence>_<frame>_leftImg8bit.png
    <root>/gtFine/<split>/<city>/<city>_<sequence>_<frame>_gtFine_labelIds.png   or labelTrainIds

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016:
a snippet reaches from 19 frames before the labelled one to 10 after it. Frame numbers start at 0
in some cities and run through a long recording in others, so the labels say where snippets are.
"""

import re
from pathlib import Path

import numpy as np

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import identity_table, label_table
from ditta_adapt.datasets.labelled_video import IGNORE, LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import need_file, need_folder, subfolders
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.datasets.natural_order import natural_key
from ditta_adapt.errors import InputError

NUM_FRAMES, LABELLED = 30, 19

# Name, id in labelIds, colour; the position is the train id.
CLASSES = (
    ("road", 7, (128, 64, 128)),
    ("sidewalk", 8, (244, 35, 232)),
    ("building", 11, (70, 70, 70)),
    ("wall", 12, (102, 102, 156)),
    ("fence", 13, (190, 153, 153)),
    ("pole", 17, (153, 153, 153)),
    ("traffic light", 19, (250, 170, 30)),
    ("traffic sign", 20, (220, 220, 0)),
    ("vegetation", 21, (107, 142, 35)),
    ("terrain", 22, (152, 251, 152)),
    ("sky", 23, (70, 130, 180)),
    ("person", 24, (220, 20, 60)),
    ("rider", 25, (255, 0, 0)),
    ("car", 26, (0, 0, 142)),
    ("truck", 27, (0, 0, 70)),
    ("bus", 28, (0, 60, 100)),
    ("train", 31, (0, 80, 100)),
    ("motorcycle", 32, (0, 0, 230)),
    ("bicycle", 33, (119, 11, 32)),
)
NUM_IDS = 34
LABEL_IDS = dict.fromkeys(range(NUM_IDS), IGNORE) | {
    label_id: train_id for train_id, (_, label_id, _) in enumerate(CLASSES)
}

_LABEL_FILE = re.compile(
    r"(?P<snippet>(?P<recording>.+_\d+)_(?P<frame>\d+))_gtFine_(?P<kind>labelIds|labelTrainIds)\.png"
)


def open_cityscapes(root: Path, *, split: str = "val") -> VideoDataset:
    """Cityscapes' snippets, each a video of 30 frames with a label at index 19.

    Args:
        root: the folder that holds `leftImg8bit_sequence/` and `gtFine/`.
        split: `train`, `val` or `test`, whose public labels are ignored everywhere.

    Returns:
        19 classes; videos are called `<city>_<sequence>_<frame>` after the labelled frame. Of
        `labelIds` and `labelTrainIds`, the first is read where both are there.

    Raises:
        InputError: a folder is missing, there is no label file, or one has an unknown name.
    """
    need_folder(root, "Cityscapes: leftImg8bit_sequence/ and gtFine/")
    frame_root = need_folder(root / "leftImg8bit_sequence" / split, "a folder of frames per city")
    label_root = need_folder(root / "gtFine" / split, "a folder of labels per city")
    for city in subfolders(frame_root):
        need_folder(label_root / city, f"the labels for {frame_root / city}")
    labels: dict[str, Path] = {}
    for city in subfolders(label_root):
        need_folder(frame_root / city, f"the frames for {label_root / city}")
        # In this order the last one wins: labelIds.
        for kind in ("labelTrainIds", "labelIds"):
            for path in (label_root / city).glob(f"[!.]*_gtFine_{kind}.png"):
                labels[_parts(path)["snippet"]] = path
    if not labels:
        raise InputError(f"{label_root} holds no label; expected <city>/*_gtFine_labelIds.png.")

    def open_video(name: str) -> LabelledVideo:
        label = labels[name]
        parts = _parts(label)
        frame = int(parts["frame"])
        folder = frame_root / label.parent.name
        frames = FrameFiles(
            need_file(
                folder / f"{parts['recording']}_{number:06d}_leftImg8bit.png",
                f"frame {index} of the {NUM_FRAMES} frames around {label.name}",
            )
            for index, number in enumerate(range(frame - LABELLED, frame - LABELLED + NUM_FRAMES))
        )
        is_train_ids = parts["kind"] == "labelTrainIds"
        table = identity_table(len(CLASSES)) if is_train_ids else label_table(LABEL_IDS)
        paths = [label if index == LABELLED else None for index in range(NUM_FRAMES)]
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table))

    return ListedDataset(
        "cityscapes",
        sorted(labels, key=natural_key),
        open_video,
        class_names=[name for name, _, _ in CLASSES],
        palette=np.array([colour for _, _, colour in CLASSES], np.uint8),
    )


def _parts(label: Path) -> dict[str, str]:
    found = _LABEL_FILE.fullmatch(label.name)
    if found is None:
        raise InputError(
            f"{label} has an unknown name; expected <city>_<sequence>_<frame>_gtFine_labelIds.png."
        )
    return found.groupdict()
