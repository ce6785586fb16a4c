"""DAVIS 2016 and 2017 at 480p, as objects on a background.

    <root>/JPEGImages/480p/<video>/*.jpg
    <root>/Annotations/480p/<video>/*.png        same names; 0 = background, all else = object
    <root>/ImageSets/<year>/<split>.txt          one video a line; may be missing
    <root>/ImageSets/480p/<split>.txt            the list as DAVIS 2016 first came: two files a line

Sources: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016; Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object
Segmentation", 2017.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import label_table, object_relabel
from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.datasets.layout import (
    image_files,
    match_labels,
    need_folder,
    need_frames,
    read_lines,
    read_video_names,
    subfolders,
)
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.datasets.object_classes import class_ids, read_object_classes
from ditta_adapt.errors import InputError

RESOLUTION = "480p"


def open_davis(
    root: Path,
    *,
    split: str = "val",
    year: int = 2017,
    classes: str | Path | Mapping[str, Sequence[str | int]] | None = None,
    model_classes: Sequence[str] | int | None = None,
) -> VideoDataset:
    """DAVIS, with the two label classes background and object (all annotated objects together).

    To score a semantic model, say which of its classes the annotated object of each video is made
    of: `classes={"horsejump-high": ["horse", "person"]}, model_classes=[...]`. Each video then
    has a `relabel` table that turns those classes into the object and all others into background.

    Args:
        root: the folder that holds `JPEGImages/` and `Annotations/`.
        split: which list of videos. Every frame must have an annotation; in a split whose name
            starts with `test`, where only the first is public, every video must have one.
        year: 2016 or 2017, the year of the list. Without a folder `ImageSets`, all videos.
        classes: video to names or ids of the model's classes, or a TOML or JSON file of that. Its
            videos, in its order, are then those of the data set, whatever the split.
        model_classes: names of the model's classes in the order of their ids; or just their
            number, if `classes` has ids only.

    Raises:
        InputError: a file or folder is missing, or `classes` names what the model has not.
    """
    need_folder(root, "DAVIS: JPEGImages/ and Annotations/")
    frame_root = need_folder(root / "JPEGImages" / RESOLUTION, "a folder of frames per video")
    label_root = need_folder(root / "Annotations" / RESOLUTION, "a folder of masks per video")
    relabel: dict[str, np.ndarray] = {}
    if classes is not None:
        relabel = _relabel_tables(classes, model_classes)
    elif model_classes is not None:
        raise InputError(
            "model_classes is given without classes; expected both, or neither to leave "
            "predictions as they are."
        )
    names = tuple(relabel) or video_names(root, frame_root, split, year)
    for name in names:
        need_folder(frame_root / name, "the frames of a video")
        need_folder(label_root / name, "the annotations of a video")
    table = label_table({0: 0} | dict.fromkeys(range(1, 256), 1))
    complete = bool(relabel) or not split.startswith("test")

    def open_video(name: str) -> LabelledVideo:
        files = need_frames(frame_root / name, (".jpg",))
        frames = FrameFiles(files.values())
        masks = image_files(label_root / name, (".png",))
        paths = match_labels(files, masks, folder=label_root / name, complete=complete)
        return LabelledVideo(name, frames, LabelFiles(paths, frames, table), relabel.get(name))

    return ListedDataset(
        "davis",
        names,
        open_video,
        class_names=("background", "object"),
        palette=np.array([(0, 0, 0), (128, 0, 0)], np.uint8),
    )


def _relabel_tables(
    classes: str | Path | Mapping[str, Sequence[str | int]],
    model_classes: Sequence[str] | int | None,
) -> dict[str, np.ndarray]:
    if model_classes is None:
        raise InputError(
            "classes is given without model_classes; expected the names of the model's classes in "
            "the order of their ids, or their number."
        )
    source = "classes" if isinstance(classes, Mapping) else str(classes)
    count = model_classes if isinstance(model_classes, int) else len(model_classes)
    tables = {}
    for name, entry in read_object_classes(classes).items():
        try:
            tables[name] = object_relabel(class_ids(entry, model_classes), count)
        except InputError as error:
            raise InputError(f"{source}: {name}: {error}") from error
    return tables


def video_names(root: Path, frame_root: Path, split: str, year: int) -> tuple[str, ...]:
    """The videos of a split; all of them where there are no lists.

    Raises:
        InputError: there are lists, but not that one; or no video.
    """
    lists = root / "ImageSets"
    if not lists.is_dir():
        names = tuple(subfolders(frame_root))
        if not names:
            raise InputError(f"{frame_root} is empty; expected a folder of frames per video.")
        return names
    path = lists / str(year) / f"{split}.txt"
    if path.is_file():
        return read_video_names(path)
    pairs = lists / RESOLUTION / f"{split}.txt"
    if year == 2016 and pairs.is_file():
        # "/JPEGImages/480p/<video>/00000.jpg /Annotations/480p/<video>/00000.png"
        return tuple(dict.fromkeys(Path(line.split()[0]).parent.name for line in read_lines(pairs)))
    raise InputError(
        f"there is no file {path}; expected the videos of the split {split!r}, one a line. "
        f"{lists} holds {', '.join(subfolders(lists)) or 'nothing'}; another list is chosen by "
        "split and year, and without that folder all videos are taken."
    )
