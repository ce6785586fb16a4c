"""What adapting to a domain did."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ditta_adapt.config import DomainConfig
from ditta_adapt.report import library_versions


@dataclass(frozen=True, slots=True)
class DomainRound:
    """One round.

    Attributes:
        loss: mean over its steps.
        changed: mean share of pixels whose label is not the teacher's own, see `Targets`.
        gains: by held-out video: how much more the adapted model agrees with second looks of the
            image model than that itself does, in [-1, 1]; see `HeldOut`.
        source_gains: the same by held-out source video, against its labels; empty without a source.
        teacher_miou: of the teacher's own labels of the clips, in [0, 1], where videos came with
            labels; they teach nothing, and this is for the record.
        target_miou: of the labels that were learned, on the same pixels.
    """

    loss: float
    changed: float
    gains: tuple[float, ...]
    source_gains: tuple[float, ...] = ()
    teacher_miou: float | None = None
    target_miou: float | None = None


@dataclass(frozen=True, slots=True)
class DomainReport:
    """What `adapt_to_domain` did.

    Attributes:
        kept: whether the model has other weights than before.
        reason: in plain words.
        learned: indices of the videos that were learned.
        held_out: of those that were not.
        source_held_out: likewise of the source.
        rounds: in order.
        best: index of the round whose weights were taken, if any were; else of the best one.
        unread: clips that could not be read and taught nothing, and why.
        seconds: in all.
        config: that was used.
        versions: of the libraries the numbers depend on.
    """

    kept: bool
    reason: str
    learned: tuple[int, ...]
    held_out: tuple[int, ...]
    source_held_out: tuple[int, ...]
    rounds: tuple[DomainRound, ...]
    best: int
    unread: tuple[str, ...]
    seconds: float
    config: DomainConfig
    versions: dict[str, str] = field(default_factory=library_versions)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as values that JSON can hold."""
        return asdict(self) | {"config": self.config.to_dict()}

    def __str__(self) -> str:
        unread = f"; {len(self.unread)} clips could not be read" if self.unread else ""
        return f"{self.reason}{unread} ({self.seconds:.0f} s)"


def in_words(kept: bool, found: DomainRound, number: int, learned: int) -> str:
    """Why something was kept, or nothing.

    Args:
        kept: whether something was.
        found: the round that was kept, or the best one.
        number: its index.
        learned: how many videos.
    """
    begins = f"adapted to {learned} videos" if kept else f"nothing was kept of {learned} videos"
    after = f"after round {number + 1}"
    looks = f"second looks at {len(found.gains)} held out {np.mean(found.gains):+.3f}"
    if found.source_gains:
        ends = after if kept else "which is less"
        labels = f"labels of {len(found.source_gains)} held out {np.mean(found.source_gains):+.3f}"
        return (
            f"{begins}: it agrees with the {labels} more than the image model, {ends} "
            f"(and with {looks}, which does not decide)"
        )
    ends = f"more than the image model, {after}" if kept else "which is no more than its error"
    return f"{begins}: it agrees with {looks} {ends}" + ("" if kept else ", or worse")
