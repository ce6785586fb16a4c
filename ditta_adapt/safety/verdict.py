"""What was decided about an adaptation, and by which numbers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided about an adaptation.

    Attributes:
        kept_fraction: how much of the adaptation is kept: all (1), some, or nothing (0).
        reason: in plain words.
        temporal_inconsistency: share of what the frozen model is sure of that it says otherwise
            one frame later; 0 with a single frame.
        confident_disagreement: share of what it is sure of that the targets say otherwise.
        change: share of what it is sure of that the adapted model, as kept, says otherwise.
    """

    kept_fraction: float
    reason: str
    temporal_inconsistency: float
    confident_disagreement: float
    change: float = 0.0
