"""Random clips of moving objects with exact masks, to train and to test a video model on."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ditta_adapt.errors import InputError
from examples.train_small_sam2.scene import Ids, Scene
from examples.train_small_sam2.textures import Rng

_HELD_OUT = 0x4E1D


def make_clip(
    seed: int | Sequence[int],
    *,
    num_frames: int,
    size: int,
    absent: float = 0.15,
    max_objects: int = 4,
    pace: int = 1,
    cutouts: Sequence[Path] = (),
) -> tuple[npt.NDArray[np.uint8], Ids]:
    """A clip of ``num_frames`` square frames with 1 to ``max_objects`` objects.

    The same arguments give the same clip. Every object covers at least `SMALLEST_SHARE` of frame 0.
    With probability ``absent``, if there are at least 3 frames, one object cannot be seen at all in
    one or more of the later frames; other objects may be hidden for a while by chance.

    What moves little from frame to frame can be followed by leaving the mask where it is. Only
    with frames left out, up to ``pace`` - 1 between two (1, 2, 4, ... steps, by chance), must it be
    found again by how it looks.

    With ``cutouts``, files of images with alpha, half of the objects are made of these.

    Returns:
        RGB frames, uint8, shape (T, S, S, 3), and object ids, uint8 in 0..K, shape (T, S, S):
        at each pixel the object whose visible part covers most of it, 0 for the background. Every
        id from 1 to K appears in frame 0.

    Raises:
        InputError: ``num_frames`` or ``pace`` is below 1, ``size`` below 32, ``absent`` not in
            0..1, or ``max_objects`` not in 1..255.
        MissingDependencyError: scikit-image or scikit-learn is not installed.
    """
    if min(num_frames, pace) < 1 or size < 32 or not (0 <= absent <= 1 <= max_objects <= 255):
        raise InputError(
            "expected num_frames and pace of at least 1, size of at least 32, absent in 0..1 and "
            f"max_objects in 1..255, got {num_frames}, {pace}, {size}, {absent} and {max_objects}"
        )
    rng = np.random.default_rng(seed)
    return _draw_clip(rng, num_frames, size, absent, max_objects, pace, cutouts)


def held_out_clips(
    count: int, num_frames: int, size: int, *, absent: float
) -> Iterator[tuple[npt.NDArray[np.uint8], Ids]]:
    """``count`` clips, always the same, that `make_clip` gives for no seed of up to four words.

    Raises:
        MissingDependencyError: scikit-image or scikit-learn is not installed.
    """
    for index in range(count):
        seed = np.random.SeedSequence(index, spawn_key=(_HELD_OUT,))
        yield _draw_clip(np.random.default_rng(seed), num_frames, size, absent, 4)


def _draw_clip(
    rng: Rng,
    num_frames: int,
    size: int,
    absent: float,
    max_objects: int,
    pace: int = 1,
    cutouts: Sequence[Path] = (),
) -> tuple[npt.NDArray[np.uint8], Ids]:
    """One clip; drawn again until it keeps what `make_clip` promises."""
    vanish = num_frames >= 3 and rng.random() < absent
    step = 1 if pace == 1 else 2 ** int(rng.integers(pace.bit_length()))
    while True:
        clip = Scene(rng, (num_frames - 1) * step + 1, size, max_objects, vanish, cutouts)
        frames = np.empty((num_frames, size, size, 3), np.uint8)
        ids = np.empty((num_frames, size, size), np.uint8)
        frames[0], ids[0] = clip.render(0)
        found = clip.number(ids[0])
        if not found:
            continue
        ids[0] = _renumbered(ids[0], found)
        for t in range(1, num_frames):
            frames[t], later = clip.render(t * step)
            ids[t] = _renumbered(later, found)
        if not vanish or clip.vanishes(ids, found):
            return frames, ids


def _renumbered(ids: Ids, found: list[int]) -> Ids:
    """Ids with those ``found`` renumbered 1, 2, ... and the others 0."""
    table = np.zeros(256, np.uint8)
    table[found] = np.arange(1, len(found) + 1)
    return table[ids]
