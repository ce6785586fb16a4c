"""How adaptation tells its caller where it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Stage = Literal["predict", "track", "targets", "adapt"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of work done.

    Attributes:
        stage: `"predict"` the warm-up with the frozen model, `"track"` its objects with the
            propagator, forward then backward, build `"targets"`, `"adapt"`.
        done: steps of this stage that are done.
        total: steps of this stage; an upper bound for `"track"`.
        loss: of this step, while adapting.
    """

    stage: Stage
    done: int
    total: int
    loss: float | None = None


ProgressCallback: TypeAlias = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """A callback that does nothing."""
