"""VIPSeg, the panoptic labels of VSPW's videos, as classes.

    <root>/{train,val,test}.txt                      one video a line
    <root>/imgs/<video>/*.jpg                        or images/, as the release's own program has it
    <root>/panomasks/<video>/*.png                   0 = void, 1..124 = class,
                                                     100 * class + instance = object
    or, in place of panomasks/, what the release's own program makes of it:
    <root>/panomasksRGB/<video>/*.png                segment = red + 256 green + 65536 blue
    <root>/panoptic_gt_VIPSeg_<split>.json           its class, 0..123; or without _<split>

Source: Miao et al., "Large-scale Video Panoptic Segmentation in the Wild: A Benchmark", CVPR 2022,
and github.com/VIPSeg-Dataset/VIPSeg-Dataset for layout and ids. Void does not count; class `c` of
the masks is label `c - 1`. Instances are not told apart.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int64

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import identity_table, label_table
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
from ditta_adapt.io.images import read_frame

Segments = Mapping[str, Mapping[str, Mapping[int, int]]]
"""Class of a segment, by video and the stem of its frame."""

_NAMES = """
wall ceiling door stair ladder escalator Playground_slide handrail_or_fence window rail goal
pillar pole floor ground grass sand athletic_field road path crosswalk building house bridge
tower windmill well_or_well_lid other_construction sky mountain stone wood ice snowfield
grandstand sea river lake waterfall water billboard_or_Bulletin_Board sculpture pipeline
flag parasol_or_umbrella cushion_or_carpet tent roadblock car bus truck bicycle motorcycle
wheeled_machine ship_or_boat raft airplane tyre traffic_light lamp person cat dog horse
cattle other_animal tree flower other_plant toy ball_net backboard skateboard bat ball
cupboard_or_showcase_or_storage_rack box traveling_case_or_trolley_case basket
bag_or_package trash_can cage plate tub_or_bowl_or_pot bottle_or_cup barrel fishbowl bed
pillow table_or_desk chair_or_seat bench sofa shelf bathtub gun commode roaster
other_machine refrigerator washing_machine Microwave_oven fan curtain textiles clothes
painting_or_poster mirror flower_pot_or_vase clock book tool blackboard tissue
screen_or_television computer printer Mobile_phone keyboard other_electronic_product fruit
food instrument train
"""
CLASSES = tuple(_NAMES.split())
MASK_LABELS = (
    {0: IGNORE}
    | {value: value - 1 for value in range(1, len(CLASSES) + 1)}
    | {value: value // 100 - 1 for value in range(len(CLASSES) + 1, 100 * (len(CLASSES) + 1))}
)


def open_vipseg(root: Path, *, split: str = "val") -> VideoDataset:
    """VIPSeg, with classes for panoptic labels.

    Args:
        root: the folder that holds `imgs/` (or `images/`) and `panomasks/` (or `panomasksRGB/`).
        split: which list of videos, `<split>.txt`; without it, those of the JSON file that goes
            with `panomasksRGB/`. Every frame must have a mask; only videos of the split `test`,
            whose masks are not public, may come without.

    Returns:
        124 classes, those of VSPW.

    Raises:
        InputError: a file or folder is missing, or a list or the JSON file makes no sense.
    """
    need_folder(root, "VIPSeg: imgs/, panomasks/ and val.txt")
    frame_root = root / "images" if (root / "images").is_dir() else root / "imgs"
    need_folder(frame_root, "a folder of frames per video")
    mask_root, segments = root / "panomasks", None
    if not mask_root.is_dir() and (root / "panomasksRGB").is_dir():
        segments = _segments(root, split)
    if segments is not None:
        mask_root = root / "panomasksRGB"
    elif split != "test":
        need_folder(mask_root, "a folder of masks per video, or panomasksRGB/")
    listed = root / f"{split}.txt"
    if segments is not None and not listed.is_file():
        names = tuple(segments)
    else:
        need_file(listed, f"the videos of VIPSeg's split {split!r}, one a line")
        names = read_video_names(listed)
    for name in names:
        need_folder(frame_root / name, "the frames of a video")
    table = label_table(MASK_LABELS) if segments is None else identity_table(len(CLASSES))

    def open_video(name: str) -> LabelledVideo:
        files = need_frames(frame_root / name, (".jpg",))
        frames = FrameFiles(files.values())
        folder = mask_root / name
        if split == "test" and not folder.is_dir():
            return LabelledVideo(name, frames, NoLabels(frames))
        masks = image_files(need_folder(folder, "a mask for each frame"), (".png",))
        paths = match_labels(files, masks, folder=folder, complete=True)
        read = None if segments is None else _reader(segments.get(name, {}))
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table, read))

    return ListedDataset("vipseg", names, open_video, class_names=CLASSES)


def _segments(root: Path, split: str) -> Segments | None:
    """What the JSON file says; `None` if there is none of the split `test`.

    Raises:
        InputError: there is none of another split, or it cannot be read as such.
    """
    path = root / f"panoptic_gt_VIPSeg_{split}.json"
    if not path.is_file() and (root / "panoptic_gt_VIPSeg.json").is_file():
        path = root / "panoptic_gt_VIPSeg.json"
    if split == "test" and not path.is_file():
        return None
    need_file(path, "the classes of the segments in panomasksRGB/")
    try:
        videos: list[Any] = json.loads(path.read_bytes())["annotations"]
        return {
            str(video["video_id"]): {
                Path(frame["file_name"]).stem: {
                    int(segment["id"]): int(segment["category_id"])
                    for segment in frame["segments_info"]
                }
                for frame in video["annotations"]
            }
            for video in videos
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {error}); expected JSON of the form "
            '{"annotations": [{"video_id": ..., "annotations": [{"file_name": ..., '
            '"segments_info": [{"id": ..., "category_id": ...}]}]}]}.'
        ) from error


def _reader(frames: Mapping[str, Mapping[int, int]]) -> Callable[[Path], np.ndarray]:
    """How to read a coloured mask of a video, given the classes of its segments, as classes."""

    def read(path: Path) -> Int64[np.ndarray, "H W"]:
        classes = {0: IGNORE} | dict(frames.get(path.stem, {}))
        ids = read_frame(path).astype(np.int64) @ np.array([1, 2**8, 2**16])
        found, places = np.unique(ids, return_inverse=True)
        for segment in found.tolist():
            if segment not in classes:
                raise InputError(
                    f"{path} shows the segment {segment}, of which the JSON file names no class; "
                    "expected the file that was made with the masks."
                )
        labels = np.array([classes[segment] for segment in found.tolist()], np.int64)
        return labels[places].reshape(ids.shape)

    return read
