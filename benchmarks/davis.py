"""DAVIS 2016 videos whose annotated object is of known PASCAL VOC classes.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object
Segmentation", CVPR 2016. Class order: Everingham et al., PASCAL VOC, with background first.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

DATA_VARIABLE = "DITTA_DATA"
"""Environment variable that names the data folder."""

DEFAULT_MANIFEST = Path(__file__).with_name("davis_voc.toml")
"""The eight videos of the DAVIS-VOC benchmark and their classes."""

RESOLUTION = "480p"

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Mean of the RGB channels, in [0, 1], that the released weights expect."""

IMAGENET_STD = (0.229, 0.224, 0.225)
"""Standard deviation of the RGB channels that the released weights expect."""

VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""The 21 PASCAL VOC class names; a class's id is its position."""


@dataclass(frozen=True)
class Video:
    """One annotated video.

    Attributes:
        name: the video's folder name.
        frames: T arrays (H, W, 3), uint8, RGB, in time order.
        masks: T arrays (H, W), bool, True on the annotated object.
        classes: ids in [0, 20] of the VOC classes whose union is the object.
    """

    name: str
    frames: list[npt.NDArray[np.uint8]]
    masks: list[npt.NDArray[np.bool_]]
    classes: tuple[int, ...]


def data_root() -> Path:
    """Return the folder that holds `davis/` and `weights/`.

    It is the value of the environment variable `DITTA_DATA`, else `../shared/data` relative to
    the repository's root.

    Raises:
        FileNotFoundError: that folder does not exist.
    """
    named = os.environ.get(DATA_VARIABLE)
    root = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    if not root.is_dir():
        raise FileNotFoundError(
            f"no data folder at {root}; set {DATA_VARIABLE} to the folder that holds davis/"
        )
    return root


def class_ids(classes: Sequence[str | int]) -> tuple[int, ...]:
    """Return the VOC ids, in [0, 20], of class names or ids, in the order given.

    Raises:
        ValueError: no class is given, a name is unknown, an id is out of range, or a class comes
            twice.
    """
    # A lone string is a sequence too, of letters: almost surely a forgotten pair of brackets.
    if isinstance(classes, str) or not classes:
        raise ValueError(f"classes must be a non-empty list of names or ids, got {classes!r}")
    ids: list[int] = []
    for item in classes:
        if isinstance(item, str) and item in VOC_CLASSES:
            ids.append(VOC_CLASSES.index(item))
        elif isinstance(item, int) and not isinstance(item, bool) and 0 <= item < len(VOC_CLASSES):
            ids.append(item)
        else:
            raise ValueError(
                f"unknown class {item!r}: give an id in [0, {len(VOC_CLASSES) - 1}] or one of "
                + ", ".join(VOC_CLASSES)
            )
    if len(set(ids)) != len(ids):
        raise ValueError(f"a class comes twice in {list(classes)!r}")
    return tuple(ids)


def load_manifest(path: str | Path = DEFAULT_MANIFEST) -> dict[str, list[str | int]]:
    """Read which classes make up the annotated object of each video.

    Args:
        path: a TOML file of lines `video = ["class name or id", ...]`.

    Returns:
        Video name -> its classes as written (see `class_ids`), in the order of the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not TOML, holds no video, or holds an invalid list of classes.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no manifest at {path}")
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not a TOML file: {error}") from error
    if not entries:
        raise ValueError(f"{path} names no video")
    manifest: dict[str, list[str | int]] = {}
    for name, classes in entries.items():
        if not isinstance(classes, list):
            raise ValueError(f"{path}: {name} must be a list of classes, got {classes!r}")
        try:
            class_ids(classes)
        except ValueError as error:
            raise ValueError(f"{path}: {name}: {error}") from error
        manifest[name] = classes
    return manifest


def load_video(root: str | Path, name: str, classes: Sequence[str | int], stride: int = 1) -> Video:
    """Read every `stride`-th frame of a video, from the first, with its masks.

    Args:
        root: the folder that holds `davis/` (see `data_root`), or that of DAVIS itself; frames
            are read from `davis/JPEGImages/480p/<name>/*.jpg`, masks from the PNG files of the
            same names in `davis/Annotations/480p/<name>/` (an object is any non-zero value).
        name: the video.
        classes: VOC names or ids of the annotated object.
        stride: 1 for all frames, 3 for every third.

    Raises:
        FileNotFoundError: a folder, or the mask of a frame that is read, is missing.
        ValueError: `stride` < 1, invalid classes, a video without frames, a mask that is not a
            single-channel image, or one whose size differs from its frame's.
    """
    if stride < 1:
        raise ValueError(f"stride must be at least 1, got {stride}")
    ids = class_ids(classes)
    davis = Path(root) if (Path(root) / "JPEGImages").is_dir() else Path(root) / "davis"
    frame_folder = davis / "JPEGImages" / RESOLUTION / name
    mask_folder = davis / "Annotations" / RESOLUTION / name
    for folder in (frame_folder, mask_folder):
        if not folder.is_dir():
            raise FileNotFoundError(f"video {name!r}: no folder {folder}")

    # File names are zero-padded frame numbers, so the order of names is the order of time.
    frame_files = sorted(frame_folder.glob("*.jpg"))
    if not frame_files:
        raise ValueError(f"video {name!r}: no *.jpg in {frame_folder}")
    frames: list[npt.NDArray[np.uint8]] = []
    masks: list[npt.NDArray[np.bool_]] = []
    for frame_file in frame_files[::stride]:
        with Image.open(frame_file) as image:
            frame = np.array(image.convert("RGB"), dtype=np.uint8)
        mask = _read_mask(mask_folder / f"{frame_file.stem}.png")
        if mask.shape != frame.shape[:2]:
            raise ValueError(
                f"video {name!r}: mask {frame_file.stem}.png is {mask.shape}, "
                f"its frame {frame.shape[:2]}"
            )
        frames.append(frame)
        masks.append(mask)
    return Video(name=name, frames=frames, masks=masks, classes=ids)


def prepare(frame: npt.NDArray[np.uint8], size: tuple[int, int] | None = (256, 448)) -> Tensor:
    """Turn a video frame into the network's input.

    Args:
        frame: (H, W, 3), uint8, RGB.
        size: (height, width) to resize the whole frame to, by PIL's anti-aliased bilinear
            resizing, which rounds to 8 bits; None keeps (H, W).

    Returns:
        (1, 3, height, width), float32, minus ImageNet's mean, over its standard deviation.

    Raises:
        ValueError: `frame` is not (H, W, 3) uint8.
    """
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise ValueError(f"frame must be (H, W, 3) uint8, got {frame.shape} {frame.dtype}")
    if size is not None:
        height, width = size
        resized = Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR)
        frame = np.asarray(resized)
    image = torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 255
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    return (image - mean) / std


def _read_mask(path: Path) -> npt.NDArray[np.bool_]:
    """Read an annotation as (H, W) bool."""
    if not path.is_file():
        raise FileNotFoundError(f"no annotation {path}")
    with Image.open(path) as image:
        # Palette images keep object ids; converting them to grey would mix ids with colours.
        if image.mode not in ("1", "L", "P"):
            raise ValueError(f"{path} is not a single-channel mask (mode {image.mode})")
        mask: npt.NDArray[np.bool_] = np.asarray(image) != 0
        return mask
