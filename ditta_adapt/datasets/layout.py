"""What should lie in a folder of a data set, and an error that names it where it does not."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from ditta_adapt.datasets.natural_order import natural_key
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import is_file

FRAME_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def need_folder(path: Path, expected: str) -> Path:
    """The folder itself.

    Raises:
        InputError: it is missing, with what was expected there.
    """
    if not os.path.isdir(path):
        raise InputError(f"there is no folder {path}; expected {expected}.")
    return path


def need_file(path: Path, expected: str) -> Path:
    """The file itself.

    Raises:
        InputError: it is missing, with what was expected there.
    """
    if not is_file(path):
        raise InputError(f"there is no file {path}; expected {expected}.")
    return path


def subfolders(folder: Path) -> list[str]:
    """Names of the folders inside, in natural order, without hidden ones."""
    names = (path.name for path in folder.iterdir() if path.is_dir())
    return sorted((name for name in names if not name.startswith(".")), key=natural_key)


def read_lines(path: Path) -> tuple[str, ...]:
    """The lines of a text file, without blanks around them and without empty ones.

    Raises:
        InputError: the file is not UTF-8 text, or there is no line.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as text: {error}") from error
    if not any(lines):
        raise InputError(f"{path} is empty; expected one entry a line.")
    return tuple(line for line in lines if line)


def read_video_names(path: Path) -> tuple[str, ...]:
    """The videos that a list names, one a line, in its order.

    Raises:
        InputError: as `read_lines`, or a video is named twice.
    """
    names = read_lines(path)
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise InputError(f"{path} names the video {twice!r} twice; expected every video once.")
    return names


def image_files(folder: Path, suffixes: Collection[str] = FRAME_SUFFIXES) -> dict[str, Path]:
    """The images of a folder by their stem, in natural order; no hidden files.

    Raises:
        InputError: two images of one stem, such as `1.jpg` and `1.png`.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.stem)):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                raise InputError(
                    f"{folder} holds both {found[path.stem].name} and {path.name}; expected one "
                    "image of a name."
                )
            found[path.stem] = path
    return found


def need_frames(folder: Path, suffixes: Collection[str] = FRAME_SUFFIXES) -> dict[str, Path]:
    """The frames of a video, as `image_files`.

    Raises:
        InputError: there is none, or as `image_files`.
    """
    frames = image_files(folder, suffixes)
    if not frames:
        shown = ", ".join("*" + suffix for suffix in suffixes)
        raise InputError(f"{folder} holds no frame; expected images ({shown}), one a frame.")
    return frames


def match_labels(
    frames: Mapping[str, Path], labels: Mapping[str, Path], *, folder: Path, complete: bool
) -> list[Path | None]:
    """The label image of each frame, matched by stem.

    Args:
        frames: as `need_frames` found them.
        labels: as `image_files` found them.
        folder: where the labels lie, for errors.
        complete: whether every frame must have one, else at least one frame of the video.

    Raises:
        InputError: a label without its frame, or no label for a frame that needs one.
    """
    for stem, path in labels.items():
        if stem not in frames:
            raise InputError(
                f"{path} is the label of no frame; expected the name of one, such as "
                f"{next(iter(frames))}{path.suffix}."
            )
    if not labels and not complete:
        raise InputError(f"{folder} holds no label; expected PNG files named as their frames.")
    for stem in frames if complete else ():
        if stem not in labels:
            raise InputError(
                f"there is no file {folder / stem}.png; expected the label of {frames[stem]}, as "
                "every frame has one."
            )
    return [labels.get(stem) for stem in frames]
