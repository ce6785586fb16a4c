"""How adaptation tells its caller where it is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ditta_adapt.errors import InputError

Stage = Literal["predict", "look", "track", "targets", "adapt"]


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of work done.

    Attributes:
        stage: `"predict"` the warm-up with the frozen model, `"look"` at it a second time,
            `"track"` its objects with the propagator, forward then backward, build `"targets"`,
            `"adapt"`.
        done: steps of this stage that are done.
        total: steps of this stage; an upper bound for `"track"`.
        loss: of this step, while adapting.
    """

    stage: Stage
    done: int
    total: int
    loss: float | None = None


ProgressCallback: TypeAlias = Callable[[Progress], None]


def check_progress(progress: object) -> None:
    """Refuse what cannot be called with a `Progress`.

    Raises:
        InputError: it cannot be called.
    """
    if not callable(progress):
        raise InputError(
            f"progress is {progress!r}; expected a function of a Progress, or to be left out."
        )


def silent(progress: Progress) -> None:
    """A callback that does nothing."""
