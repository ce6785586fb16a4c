"""At which sizes a model is not to be asked: its other looks speak against what it says there."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from jaxtyping import Integer
from torch import Tensor

from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.surely_worse import surely_worse

_Gains = dict[tuple[float, float], float]


def doubted_scales(
    usual: Sequence[Integer[Tensor, "_ _"]],
    views: Sequence[Mapping[float, Integer[Tensor, "_ _"]]],
    num_classes: int,
    groups: Sequence[int] | None = None,
) -> tuple[float, ...]:
    r"""Scales at which a model says what its other looks surely speak against.

    Many models see more at several sizes than at one; some were trained at a single size, and see
    little at others. Which it is shows by what the views of a frame say of one another: a scale `s`
    is compared with the usual size by the agreement `a` of both with every other scale `u`,

    .. math:: d_s(t) = \frac{1}{|U_s|} \sum_{u \in U_s} a(y_s, y_u) - a(y_1, y_u)

    and doubted if that is surely below 0 over the frames, see `surely_worse`. Of several the one
    with the least mean goes first, and the others are compared anew without it: one that sees
    nothing is not to speak against those that do. So the last one stays, of which nobody speaks.

    Mirrored frames have no say: they share the size and the noise of the usual view.

    Args:
        usual: labels of some frames at the usual size, `y_1`.
        views: of each of them, labels by scale, on the same grid; a scale may be missing.
        num_classes: `C`.
        groups: of frames, see `surely_worse`.

    Returns:
        Scales in the order in which they went.
    """
    gains = [_gains(*seen, num_classes) for seen in zip(usual, views, strict=True)]
    kept = list(dict.fromkeys(scale for seen in views for scale in seen))
    doubted: list[float] = []
    while True:
        refuted = {}
        for scale in kept:
            others = [other for other in kept if other != scale]
            found = _differences(gains, scale, others)
            differences = list(found.values())
            if surely_worse(differences, groups and [groups[t] for t in found]):
                refuted[scale] = fmean(differences)
        if not refuted:
            return tuple(doubted)
        worst = min(refuted, key=refuted.__getitem__)
        kept.remove(worst)
        doubted.append(worst)


def _gains(
    plain: Integer[Tensor, "h w"],
    seen: Mapping[float, Integer[Tensor, "h w"]],
    num_classes: int,
) -> _Gains:
    """How much more a scale agrees with another one than the usual size does."""
    gains = {}
    for scale, labels in seen.items():
        for other, view in seen.items():
            if other != scale:
                own, alone = agreement([labels, plain], view, num_classes).tolist()
                gains[scale, other] = own - alone
    return gains


def _differences(
    gains: Sequence[_Gains], scale: float, others: Sequence[float]
) -> dict[int, float]:
    """`d` of every frame in which there is another view, by its number."""
    found = [[each[scale, u] for u in others if (scale, u) in each] for each in gains]
    return {t: fmean(each) for t, each in enumerate(found) if each}
