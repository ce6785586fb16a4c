"""Options of training the propagator before it teaches."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ditta_adapt.config.record import Count, Record

Objective: TypeAlias = Literal["mask_cycle", "entropy", "mask_autoencoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagatorTraining(Record):
    """Train the propagator on the warm-up, see `adapt_propagator`.

    It follows the image model's own regions in the first frame. Only a `TrainablePropagator` can
    be trained, such as `MatchingPropagator`.

    Attributes:
        objective: of the training.
        iterations: steps; None: for as long as held-out cycles get better.
    """

    objective: Objective = "mask_cycle"
    iterations: Count | None = None
