"""What is taken for sure of a few differences."""

from collections.abc import Sequence
from statistics import fmean, stdev

# Quantiles .975 of Student's t by degrees of freedom, from 2 on; above, that of the normal
# distribution is near enough. Of two differences the error is hardly known.
_QUANTILES = (4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160)
_LARGE = 2.0


def surely_worse(differences: Sequence[float], groups: Sequence[int] | None = None) -> bool:
    r"""Whether differences are below 0 on average, beyond what their scatter leaves open.

    .. math:: \bar d + t_{n-1} \frac{s}{\sqrt n} < 0, \qquad
        s^2 = \frac{1}{n-1} \sum_i (d_i - \bar d)^2

    with the quantile .975 of Student's `t`: in two-sided terms, at the level of 5 %.

    Args:
        differences: `d`; of fewer than three nothing is sure.
        groups: numbers of the groups that they are of, such as videos, whose frames resemble one
            another: then `d` are the means of groups. By default each stands for itself.
    """
    if groups is not None:
        found: dict[int, list[float]] = {}
        for difference, group in zip(differences, groups, strict=True):
            found.setdefault(group, []).append(difference)
        differences = [fmean(each) for each in found.values()]
    place = len(differences) - 3
    if place < 0:
        return False
    return _bound(differences, _QUANTILES[place] if place < len(_QUANTILES) else _LARGE) < 0


def rather_worse(differences: Sequence[float]) -> bool:
    r"""Whether differences are below 0 on average by more than their standard error.

    .. math:: \bar d + \frac{s}{\sqrt n} < 0

    Args:
        differences: `d`; of fewer than three, whose error is hardly known, nothing is said.
    """
    return len(differences) >= 3 and _bound(differences, 1.0) < 0


def _bound(differences: Sequence[float], errors: float) -> float:
    """The mean, and so many standard errors above it."""
    error: float = stdev(differences) / len(differences) ** 0.5
    return fmean(differences) + errors * error
