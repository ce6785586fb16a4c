"""Which frames and objects a step of test-time training is about."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from ditta_adapt.errors import InputError

SHORTEST = 3
"""Frames: there must be one between the first and the last."""
_MOST_OBJECTS = 6
_TRIALS = 100


@dataclass(frozen=True, slots=True)
class Drawn:
    """Frame 0 and some later ones.

    Attributes:
        frames: the later ones, rising, in `[1, T)`; the last may be 0, where no frame was found
            that shows all objects.
        objects: at most six, in rising order, counted from 0.
    """

    frames: tuple[int, ...]
    objects: tuple[int, ...]


def draw_sequence(
    random: np.random.Generator,
    visible: Bool[np.ndarray, "T K"],
    *,
    length: int = SHORTEST,
    jump: int | None = 10,
    check: bool = True,
) -> Drawn:
    r"""Frames that follow one another within a jump, and show some objects.

    Of three frames, `0 < i < j`:

    .. math:: J = \min(s, T - 1), \qquad i = \min(U\{1..J\}, T - J, T - 1), \qquad
        j = \min(i + U\{1..J\}, T - 1)

    drawn anew until `j > i`. Of more frames, each is `U{1..J}` after the one before, with
    `J = min(s, (T - 1) // (length - 1))`. All are drawn anew until the last one shows every one of
    the objects: what is not there cannot be followed back. After 100 draws frame 0 takes its place.

    Args:
        random: draws.
        visible: which of the video's `K >= 1` objects were seen in which of its `T >= length`
            frames.
        length: frames in all, 3 or more.
        jump: `s >= 1`; with none, any later frames.
        check: whether the last frame has to show the objects.

    Raises:
        InputError: fewer frames than that.

    Source: Bertrand et al., 2023, section 4, and their program, which has three frames and clips
    `i` to `T - J`.
    """
    count, objects = visible.shape
    if count < length:
        raise InputError(f"the video has {count} frames; expected at least {length}.")
    chosen = random.choice(objects, size=min(objects, _MOST_OBJECTS), replace=False)
    wanted = tuple(sorted(int(each) for each in chosen))
    for _ in range(_TRIALS):
        frames = _draw(random, count, length, jump)
        if not check or visible[frames[-1], list(wanted)].all():
            return Drawn(frames, wanted)
    return Drawn((*frames[:-1], 0), wanted)


def _draw(
    random: np.random.Generator, count: int, length: int, jump: int | None
) -> tuple[int, ...]:
    if jump is None:
        some = random.choice(np.arange(1, count), size=length - 1, replace=False)
        return tuple(sorted(int(each) for each in some))
    if length > SHORTEST:
        steps = random.integers(1, min(jump, (count - 1) // (length - 1)) + 1, size=length - 1)
        return tuple(int(each) for each in np.cumsum(steps))
    reach = min(jump, count - 1)
    while True:
        i = min(int(random.integers(1, reach + 1)), count - reach, count - 1)
        j = min(i + int(random.integers(1, reach + 1)), count - 1)
        if j > i:
            return i, j
