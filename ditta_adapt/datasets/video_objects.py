"""Video object segmentation: DAVIS 2017, YouTube-VOS, MOSE and LVOS, with their objects' ids.

    DAVIS        <root>/JPEGImages/480p/<video>/*.jpg
                 <root>/Annotations/480p/<video>/*.png           indexed: the id of an object
                 <root>/ImageSets/<year>/<split>.txt
    all others   <root>/<split>/JPEGImages/<video>/*.jpg
                 <root>/<split>/Annotations/<video>/*.png        of some frames, or of all
                 <root>/<split>/meta.json                        categories; may be missing

The list of categories is also found as `meta_<split>.json` or `<split>_meta.json`, in the root or
in the folder of the split.

Sources: Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation", 2017; Xu et
al., "YouTube-VOS: A Large-Scale Video Object Segmentation Benchmark", ECCV 2018; Ding et al.,
"MOSE: A New Dataset for Video Object Segmentation in Complex Scenes", ICCV 2023; Hong et al.,
"LVOS: A Benchmark for Long-term Video Object Segmentation", ICCV 2023.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ditta_adapt.datasets.davis import RESOLUTION, video_names
from ditta_adapt.datasets.image_files import FrameFiles, LabelFiles
from ditta_adapt.datasets.label_table import label_table
from ditta_adapt.datasets.layout import (
    image_files,
    match_labels,
    need_folder,
    need_frames,
    subfolders,
)
from ditta_adapt.datasets.lazy import LazySequence
from ditta_adapt.datasets.object_video import ObjectVideo, ObjectVideos
from ditta_adapt.errors import InputError

VOID = 255
LAYOUTS = ("davis", "youtube-vos", "mose", "lvos")
"""Data sets that `open_objects` knows; the last three have one layout."""

_IDS = label_table({number: number for number in range(VOID)} | {VOID: 0})


def open_objects(
    name: str,
    root: Path | str,
    *,
    split: str | None = None,
    year: int = 2017,
    frames: Path | str | None = None,
) -> ObjectVideos:
    """Open a data set and check that its folders are where they should be; no frame is read yet.

    Args:
        name: `"davis"`, `"youtube-vos"`, `"mose"` or `"lvos"`.
        root: where it lies.
        split: by default `val` of DAVIS and `valid` of the others.
        year: of DAVIS: 2017 with several objects a video, or 2016 with one.
        frames: a folder with a folder of frames a video, in place of the data set's own: the same
            videos, spoiled, as DAVIS-C has them. Frames are matched by their names.

    Raises:
        InputError: no such data set; a file or folder is missing, or holds something else.
    """
    if name not in LAYOUTS:
        raise InputError(f"there is no data set {name!r} of objects; expected one of {LAYOUTS}.")
    root = Path(root).expanduser()
    if name == "davis":
        return _davis(root, split or "val", year, frames)
    return _with_splits(name, root, split or "valid", frames)


def _davis(root: Path, split: str, year: int, frames: Path | str | None) -> ObjectVideos:
    need_folder(root, "DAVIS: JPEGImages/ and Annotations/")
    own = need_folder(root / "JPEGImages" / RESOLUTION, "a folder of frames per video")
    masks = need_folder(root / "Annotations" / RESOLUTION, "a folder of masks per video")
    names = video_names(root, own, split, year)
    # Of a test split the first frame alone is public.
    complete = not split.startswith("test")
    folder = own if frames is None else need_folder(Path(frames), "a folder of frames per video")
    # In 2016 an object is 255, which is no void there.
    table = label_table({0: 0} | dict.fromkeys(range(1, 256), 1)) if year == 2016 else _IDS

    def opened(name: str) -> ObjectVideo:
        shown, mask_files = _files(folder, masks, name, complete=complete)
        return ObjectVideo(name, shown, LabelFiles(mask_files, shown, table))

    return ObjectVideos(f"davis-{year}", _Lazily(names, opened))


def _with_splits(name: str, root: Path, split: str, frames: Path | str | None) -> ObjectVideos:
    need_folder(root, f"{name}: a folder a split")
    place = need_folder(root / split, "the split's JPEGImages/ and Annotations/")
    own = need_folder(place / "JPEGImages", "a folder of frames per video")
    masks = need_folder(place / "Annotations", "a folder of masks per video")
    folder = own if frames is None else need_folder(Path(frames), "a folder of frames per video")
    names = tuple(subfolders(masks))
    if not names:
        raise InputError(f"{masks} is empty; expected a folder of masks per video.")
    categories = _categories(root, split)

    def opened(video: str) -> ObjectVideo:
        shown, mask_files = _files(folder, masks, video, complete=False)
        return ObjectVideo(
            video, shown, LabelFiles(mask_files, shown, _IDS), True, categories.get(video, {})
        )

    trained = _categories(root, "train")
    seen = frozenset(kind for video in trained.values() for kind in video.values())
    return ObjectVideos(f"{name}, {split}", _Lazily(names, opened), seen if trained else None)


def _files(
    frames: Path, masks: Path, name: str, *, complete: bool
) -> tuple[FrameFiles, list[Path | None]]:
    need_folder(frames / name, "the frames of a video")
    need_folder(masks / name, "the annotations of a video")
    files = need_frames(frames / name, (".jpg", ".png"))
    found = image_files(masks / name, (".png",))
    return FrameFiles(files.values()), match_labels(
        files, found, folder=masks / name, complete=complete
    )


def _categories(root: Path, split: str) -> dict[str, dict[int, str]]:
    """Of every video's objects; empty if there is no such file.

    Raises:
        InputError: there is one that cannot be read as such.
    """
    names = ("meta.json", f"meta_{split}.json", f"{split}_meta.json")
    places = [root / split / name for name in names] + [root / name for name in names[1:]]
    path = next((path for path in places if path.is_file()), None)
    if path is None:
        return {}
    try:
        videos: Mapping[str, Any] = json.loads(path.read_text("utf-8-sig"))["videos"]
        return {
            video: {
                int(number): str(known["category"])
                for number, known in about["objects"].items()
                if "category" in known
            }
            for video, about in videos.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} cannot be read ({type(error).__name__}: {error}); expected JSON of the form "
            '{"videos": {VIDEO: {"objects": {ID: {"category": ...}}}}}.'
        ) from error


class _Lazily(LazySequence[ObjectVideo]):
    """Videos that are opened when they are accessed."""

    def __init__(self, names: tuple[str, ...], opened: Any) -> None:
        self._names, self._opened = names, opened

    def __len__(self) -> int:
        return len(self._names)

    def _read(self, index: int) -> ObjectVideo:
        video: ObjectVideo = self._opened(self._names[index])
        return video
