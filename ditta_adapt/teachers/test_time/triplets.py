"""Which frames and objects a step of test-time training is about."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from ditta_adapt.errors import InputError

_MOST_OBJECTS = 6
_TRIALS = 100


@dataclass(frozen=True, slots=True)
class Triplet:
    """Frame 0 and two later ones.

    Attributes:
        i: in `[1, T)`.
        j: in `(i, T)`; or 0, where no frame was found that shows all objects.
        objects: at most six, in rising order, counted from 0.
    """

    i: int
    j: int
    objects: tuple[int, ...]


def draw_triplet(
    random: np.random.Generator,
    visible: Bool[np.ndarray, "T K"],
    *,
    jump: int = 10,
    check: bool = True,
) -> Triplet:
    r"""A triplet of frames that follow one another within a jump, and show some objects.

    .. math:: J = \min(s, T - 1), \qquad i = \min(U\{1..J\}, T - J, T - 1), \qquad
        j = \min(i + U\{1..J\}, T - 1)

    drawn anew until `j > i`, and until frame `j` shows every one of the objects: what is not there
    cannot be followed back. After 100 draws frame 0 takes the place of `j`.

    Args:
        random: draws.
        visible: which of the video's `K >= 1` objects were seen in which of its `T >= 3` frames.
        jump: `s >= 1`.
        check: whether `j` has to show the objects.

    Raises:
        InputError: fewer than three frames: no two later ones can be told apart.

    Source: Bertrand et al., 2023, section 4, and their program, which clips `i` to `T - J`.
    """
    length, count = visible.shape
    if length < 3:
        raise InputError(f"the video has {length} frames; triplets need at least 3.")
    chosen = random.choice(count, size=min(count, _MOST_OBJECTS), replace=False)
    objects = tuple(sorted(int(each) for each in chosen))
    reach = min(jump, length - 1)
    for _ in range(_TRIALS):
        i, j = _draw(random, length, reach)
        if not check or visible[j, list(objects)].all():
            return Triplet(i, j, objects)
    return Triplet(i, 0, objects)


def _draw(random: np.random.Generator, length: int, reach: int) -> tuple[int, int]:
    while True:
        i = min(int(random.integers(1, reach + 1)), length - reach, length - 1)
        j = min(i + int(random.integers(1, reach + 1)), length - 1)
        if j > i:
            return i, j
