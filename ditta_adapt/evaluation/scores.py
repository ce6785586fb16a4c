"""Which scores a table has, by name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ditta_adapt.errors import InputError
from ditta_adapt.metrics import BoundaryIoU

DEFAULT_SCORES = ("mIoU", "wIoU", "mVC8", "mVC16")
CHANGED = "changed"
"""Share of pixels whose label changes from one frame to the next; it needs no true labels."""
BOUNDARY = {
    "mBIoU": {},
    "mBIoU-class": {"per_class": True},
    "mBIoU-literal": {"literal": True},
}
"""Readings of the boundary score, see `BoundaryIoU`."""
_POOLED = ("mIoU", "wIoU", "mAcc")
_WINDOW = re.compile(r"mVC(\d+)")


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores by name, and what has to be measured for them.

    Attributes:
        names: `mIoU`, `wIoU` and `mAcc`, of the confusion of all frames (`SegmentationScore`);
            `mVC8` or any other window (`VideoConsistency`); `mBIoU`, `mBIoU-class` and
            `mBIoU-literal` (`BoundaryIoU`); `changed`.

    Raises:
        InputError: an unknown name, one twice, or none.
    """

    names: Sequence[str] = DEFAULT_SCORES

    def __post_init__(self) -> None:
        """Check the names."""
        for name in self.names:
            window = _WINDOW.fullmatch(name)
            if window is not None and int(window[1]) >= 2:
                continue
            if name not in (*_POOLED, *BOUNDARY, CHANGED):
                raise InputError(
                    f"there is no score {name!r}; expected {', '.join(_POOLED)}, mVC8 or another "
                    f"window of at least 2 frames, {', '.join(BOUNDARY)} or {CHANGED}."
                )
        if not self.names or len(set(self.names)) != len(self.names):
            raise InputError(f"scores are {list(self.names)}; expected some, each once.")

    @property
    def windows(self) -> tuple[int, ...]:
        """Those of mVC."""
        found = (_WINDOW.fullmatch(name) for name in self.names)
        return tuple(int(match[1]) for match in found if match is not None)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Those along borders."""
        return tuple(name for name in self.names if name in BOUNDARY)


USUAL = Scores()
"""Those that are always measured, so that any table of them can be made later."""


def boundary_score(name: str, num_classes: int) -> BoundaryIoU:
    """An empty score along borders, by its name."""
    return BoundaryIoU(num_classes, **BOUNDARY[name])
