"""Open a data set by its name."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np

from ditta_adapt.datasets.camvid import open_camvid
from ditta_adapt.datasets.cityscapes import open_cityscapes
from ditta_adapt.datasets.davis import open_davis
from ditta_adapt.datasets.folder import open_folder
from ditta_adapt.datasets.labelled_video import IGNORE, VideoDataset
from ditta_adapt.datasets.video_file import open_video_file
from ditta_adapt.datasets.vspw import open_vspw
from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import find_factory


def _open_demo(root: Path, *, videos: int = 8, frames: int = 60) -> VideoDataset:
    # Imported here: the demo is built on data sets.
    from ditta_adapt.demo.dataset import open_demo

    return open_demo(videos=videos, frames=frames)


DATASETS: dict[str, Callable[..., VideoDataset]] = {
    "camvid": open_camvid,
    "cityscapes": open_cityscapes,
    "davis": open_davis,
    "demo": _open_demo,
    "folder": open_folder,
    "video": open_video_file,
    "vspw": open_vspw,
}


def open_dataset(name: str, root: Path | str, **options: Any) -> VideoDataset:
    """Open a data set and check that its folders are where they should be; no frame is read yet.

    Args:
        name: `camvid`, `cityscapes`, `davis`, `demo`, `folder`, `video` or `vspw`; or
            `package.module:factory` for a data set of your own, opened by `factory(root,
            **options)`.
        root: where it lies; a `pathlib.Path` is what a factory gets.
        options: those of the data set: see `open_vspw` and the others.

    Raises:
        InputError: no data set of that name, an option it has not, a file or folder that is not
            there, or a factory that cannot be found or returns something else.
    """
    own = ":" in name
    if not own and name not in DATASETS:
        raise InputError(
            f"there is no data set {name!r}; expected one of {', '.join(DATASETS)}, or "
            "package.module:factory for your own."
        )
    opener = find_factory(name) if own else DATASETS[name]
    root = Path(root).expanduser()
    signature = inspect.signature(opener)
    try:
        signature.bind(root, **options)
    except TypeError as error:
        known = ", ".join(list(signature.parameters)[1:])
        raise InputError(
            f"data set {name!r} cannot be opened with the options {sorted(options)}: {error}; it "
            f"has {known or 'no options'}."
        ) from error
    if not own:
        _check_types(opener, options)
    dataset: Any = opener(root, **options)
    if own:
        _check_dataset(dataset, name)
    opened: VideoDataset = dataset
    return opened


def _check_types(opener: Callable[..., VideoDataset], options: dict[str, Any]) -> None:
    """Check options that are plain numbers or words."""
    hints = get_type_hints(opener)
    for name, value in options.items():
        kinds = get_args(hints[name]) or (hints[name],)
        if all(isinstance(kind, type) for kind in kinds) and not isinstance(value, kinds):
            expected = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
            raise InputError(f"option {name} is {value!r}; expected {expected}.")


def _check_dataset(dataset: object, spec: str) -> None:
    if not isinstance(dataset, VideoDataset):
        raise InputError(
            f"{spec} returned a {type(dataset).__name__}; expected a data set with name, names, "
            "class_names, palette, __len__ and __getitem__: see ditta_adapt.datasets.VideoDataset."
        )
    if len(dataset.names) != len(dataset):
        raise InputError(
            f"{spec}: there are {len(dataset.names)} names of {len(dataset)} videos; expected one "
            "a video."
        )
    classes, palette = len(dataset.class_names), np.asarray(dataset.palette)
    if classes > IGNORE:
        raise InputError(f"{spec} has {classes} label classes; expected at most {IGNORE}.")
    if palette.shape != (classes, 3) or palette.dtype != np.uint8:
        raise InputError(
            f"{spec}: palette has shape {palette.shape} and dtype {palette.dtype}; expected "
            f"({classes}, 3) uint8, a colour for each of the class_names."
        )
