"""Options of the checks: what is kept of what was learned, and for how long it is used."""

from dataclasses import dataclass
from typing import Annotated

from ditta_adapt.config.record import (
    Count,
    NotNegative,
    Positive,
    Range,
    Record,
    Share,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks(Record):
    """Decide without labels, and without trusting the propagator.

    The yardstick is the image model's temporal inconsistency on the warm-up: the share of what it
    is sure of that it says otherwise one frame later.

    Attributes:
        standard_errors: how many standard errors above 0 the mean of a candidate's opinions has to
            be before it speaks, see `Judge`. Replayed on 68 cases of `benchmarks.never_hurts` the
            worst case is about the same from .25 to 2, and the gain falls from .029 to .013.
        confident_disagreement: targets may disagree with what the image model is sure of by at
            most this share of its temporal inconsistency, see `check_targets_against_model`.
            Chosen on eight DAVIS videos with one network, leaving one video out
            (`benchmarks.acceptance`); it did not carry over to every other video.
        kept_fractions: of the adaptation, the first that changes no more than the temporal
            inconsistency is kept, see `roll_back`. Halves, by convention.
        warp_margin: how much worse than standing still the propagator may warp colours, as mean
            photometric consistency, before it is not trusted to warp, see `check_warp`. Strong
            noise costs a working flow about half of this.
        cut: share of the warm-up's mean photometric consistency under which two neighbouring
            frames show different scenes, if they also have other colours, see `DriftMonitor`.
        second_opinion_every: frames between two comparisons of adapted and pre-trained weights.
        drift_factor: how many times the temporal inconsistency the adapted weights may change of
            what the image model is sure of, before pre-trained ones take over. On the videos
            where adaptation helped it changed up to twice as much.
        least_drift: whatever the factor says, this share may change; 3 % was the most seen where
            adaptation helped.
        tolerance: mean colour error, of [0, 1], at which colours hardly fit any more, see
            `photometric_consistency`.
    """

    standard_errors: NotNegative = 0.5
    confident_disagreement: NotNegative = 0.3
    kept_fractions: tuple[Annotated[float, Range(0, 1, above=True)], ...] = (1.0, 0.5, 0.25)
    warp_margin: Share = 0.1
    cut: Share = 0.5
    second_opinion_every: Count = 16
    drift_factor: NotNegative = 4.0
    least_drift: Share = 0.1
    tolerance: Positive = 0.08
