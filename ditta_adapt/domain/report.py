"""What adapting to a domain did."""

from dataclasses import asdict, dataclass, field
from typing import Any

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
        teacher_miou: of the teacher's own labels of the clips, in [0, 1], where videos came with
            labels; they teach nothing, and this is for the record.
        target_miou: of the labels that were learned, on the same pixels.
    """

    loss: float
    changed: float
    gains: tuple[float, ...]
    teacher_miou: float | None = None
    target_miou: float | None = None


@dataclass(frozen=True, slots=True)
class DomainReport:
    """What `adapt_to_domain` did.

    Attributes:
        kept: whether the model has other weights than before.
        reason: in plain words.
        learned: indices of the videos that were learned.
        held_out: of those that decided.
        rounds: in order.
        best: index of the round whose weights were taken, if any were.
        seconds: in all.
        config: that was used.
        versions: of the libraries the numbers depend on.
    """

    kept: bool
    reason: str
    learned: tuple[int, ...]
    held_out: tuple[int, ...]
    rounds: tuple[DomainRound, ...]
    best: int
    seconds: float
    config: DomainConfig
    versions: dict[str, str] = field(default_factory=library_versions)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as values that JSON can hold."""
        return asdict(self) | {"config": self.config.to_dict()}

    def __str__(self) -> str:
        return f"{self.reason} ({self.seconds:.0f} s)"
