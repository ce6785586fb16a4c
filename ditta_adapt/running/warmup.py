"""How much of a video is adapted to: a share of it, or a number of frames."""

from typing import TypeAlias

from ditta_adapt.errors import InputError

Warmup: TypeAlias = int | float
"""An integer is a number of frames, a float a share of the video in [0, 1]: 1 is not 1.0."""


def parse_warmup(text: str) -> Warmup:
    """Read `"10%"` or `"0.1"`, a share; or `"8"` or `"8 frames"`, a number of frames.

    `"1"` is one frame, `"1.0"` and `"100%"` are all, `"0"` is none.

    Raises:
        InputError: neither of the two, or a share that is no whole percentage in [0, 1].
    """
    count = text.removesuffix(" frames").removesuffix(" frame")
    if count.isdecimal():
        return int(count)
    number, percent, rest = text.partition("%")
    try:
        share = float(number) / 100 if percent else float(number)
    except ValueError:
        share = float("nan")
    if rest or share != share:
        raise InputError(
            f"the warm-up is {text!r}; expected a share of the video, such as 10% or 0.1, or a "
            "number of frames, such as 8."
        )
    check_warmup(share)
    return share


def show_warmup(warmup: Warmup) -> str:
    """What `parse_warmup` reads as the same: `"10%"`, `"8 frames"`; `"0%"` for none."""
    if isinstance(warmup, int) and warmup != 0:
        return f"{warmup} frame{'' if warmup == 1 else 's'}"
    return f"{warmup:.0%}"


def check_warmup(warmup: Warmup) -> None:
    """Refuse what no video can be split by.

    Raises:
        InputError: a number of frames under 0, or a share that is no whole percentage in [0, 1].
    """
    if isinstance(warmup, int):
        if warmup < 0:
            raise InputError(f"the warm-up is {warmup} frames; expected at least 0.")
    elif not 0 <= warmup <= 1 or abs(100 * warmup - round(100 * warmup)) > 1e-6:
        raise InputError(
            f"the warm-up is the share {warmup} of a video; expected a whole percentage between 0 "
            "and 1, such as 0.1, or an integer for a number of frames."
        )
