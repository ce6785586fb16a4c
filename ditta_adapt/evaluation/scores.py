"""Which scores a table has, by name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.boundary_scores import Boundary, BoundaryLiteral, BoundaryPerClass
from ditta_adapt.evaluation.extra import Extra
from ditta_adapt.evaluation.object_scores import ObjectScores
from ditta_adapt.evaluation.pseudo_label_scores import PseudoLabels
from ditta_adapt.evaluation.temporal_consistency import TemporalConsistency

DEFAULT_SCORES = ("mIoU", "wIoU", "mVC8", "mVC16")
CHANGED = "changed"
"""Share of pixels whose label changes from one frame to the next; it needs no true labels."""
EXTRAS: Mapping[str, type[Extra]] = {
    extra.key: extra
    for extra in (
        *(Boundary, BoundaryPerClass, BoundaryLiteral),
        *(ObjectScores, TemporalConsistency, PseudoLabels),
    )
}
"""What is measured only where it is asked for, by the key of its counts."""
EXTRA_NAMES = tuple(name for extra in EXTRAS.values() for name in extra.names)
_POOLED = ("mIoU", "wIoU", "mAcc")
_WINDOW = re.compile(r"mVC(\d+)")


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores by name, and what has to be measured for them.

    Attributes:
        names: `mIoU`, `wIoU` and `mAcc`, of the confusion of all frames (`SegmentationScore`);
            `mVC8` or any other window (`VideoConsistency`); `changed`; and those of `EXTRAS`:
            `mBIoU`, `mBIoU-class` and `mBIoU-literal` (`BoundaryIoU`), `J`, `F` and `J&F`
            (`JAndF`), `TC`, and the names of `PseudoLabelScore`.

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
            if name not in (*_POOLED, *EXTRA_NAMES, CHANGED):
                raise InputError(
                    f"there is no score {name!r}; expected {', '.join(_POOLED)}, mVC8 or another "
                    f"window of at least 2 frames, {', '.join(EXTRA_NAMES)} or {CHANGED}."
                )
        if not self.names or len(set(self.names)) != len(self.names):
            raise InputError(f"scores are {list(self.names)}; expected some, each once.")

    @property
    def windows(self) -> tuple[int, ...]:
        """Those of mVC."""
        found = (_WINDOW.fullmatch(name) for name in self.names)
        return tuple(int(match[1]) for match in found if match is not None)

    @property
    def extras(self) -> tuple[type[Extra], ...]:
        """What is measured for those beyond the usual, each once."""
        asked = set(self.names)
        return tuple(extra for extra in EXTRAS.values() if asked & set(extra.names))


USUAL = Scores()
"""Those that are always measured, so that any table of them can be made later."""
