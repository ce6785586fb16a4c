"""What a run is asked to do with a video."""

from dataclasses import dataclass, field
from typing import Literal

from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import InputError
from ditta_adapt.running.excerpt import Excerpt
from ditta_adapt.running.warmup import Warmup
from ditta_adapt.targets.warm_up import warmup_length

LabelFormat = Literal["png", "npz"]

PRESETS = {
    "default": AdaptConfig(),
    "memory": AdaptConfig(targets=None),
    "paper": AdaptConfig.paper(),
    "as-printed": AdaptConfig.as_printed(),
}
"""Configurations by name: the default; nothing learned, but remembered; the released program."""

_SHARE, _LEAST, _MOST = 0.1, 8, 64
"""Of the default warm-up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Which frames are labelled, and what is written of them.

    Attributes:
        excerpt: of the video.
        warmup: share of the frames, or their number; by default a tenth of them, but at least 8
            and at most 64, and 8 of a live video.
        classes: names or numbers of the classes that labels keep; all if there are none.
        labels: a PNG file a frame, or one `.npz` file for all.
        page: whether there is a report to be looked at, `report.html`.
    """

    excerpt: Excerpt = field(default_factory=Excerpt)
    warmup: Warmup | None = None
    classes: tuple[str, ...] = ()
    labels: LabelFormat = "png"
    page: bool = True


def warmup_frames(warmup: Warmup | None, count: int | None) -> int:
    """How many frames are adapted to; not more than there are.

    Args:
        warmup: see `Request`.
        count: of the frames of the video; none if nobody knows.

    Raises:
        InputError: a share of a video of which nobody knows the length.
    """
    if warmup is None:
        warmup = _LEAST if count is None else min(max(int(_SHARE * count), _LEAST), _MOST)
    if isinstance(warmup, float) and count is None:
        raise InputError(
            f"the warm-up is {warmup:.0%} of a live video, whose length is not known; give a "
            "number of frames, such as --warmup 8."
        )
    if warmup == 0 or count is None:
        return int(warmup)
    return min(warmup_length(range(count), warmup), max(count, 1))
