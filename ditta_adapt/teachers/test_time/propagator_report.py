"""What test-time training tells of itself."""

from dataclasses import dataclass

from ditta_adapt.config import Objective


@dataclass(frozen=True, slots=True)
class PropagatorReport:
    """What test-time training did.

    Attributes:
        objective: that was minimised.
        losses: of every step.
        held_out: mean cycle loss of sequences that were not trained on: before the first step,
            and after every round of ten.
        iterations: steps whose weights were kept.
        seconds: in all.
        reason: why it ended, in a sentence.
    """

    objective: Objective
    losses: list[float]
    held_out: list[float]
    iterations: int
    seconds: float
    reason: str
