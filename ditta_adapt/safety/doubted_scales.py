"""At which sizes a model is not to be asked: its other looks speak against what it says there."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Integer
from torch import Tensor

from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.surely_worse import surely_worse


def doubted_scales(
    usual: Sequence[Integer[Tensor, "h w"]],
    views: Sequence[Mapping[float, Integer[Tensor, "h w"]]],
    num_classes: int,
) -> tuple[float, ...]:
    r"""Scales at which a model says what its other looks surely speak against.

    Many models see more at several sizes than at one; some were trained at a single size, and see
    little at others. Which it is shows by what the views of a frame say of one another: a scale `s`
    is compared with the usual size by the agreement `a` of both with every other view `u`, among
    them the mirrored one,

    .. math:: d_s(t) = \frac{1}{|U_s|} \sum_{u \in U_s} a(y_s, y_u) - a(y_1, y_u)

    and doubted if that is surely below 0 over the frames, see `surely_worse`; so are scales on the
    same side of 1 beyond it, that may do well by chance. Without another view nothing is.

    Views at sizes near each other err alike, and 1 lies between the others, so this leans towards
    the usual size: a scale has to be of clear use.

    Args:
        usual: labels of some frames at the usual size, `y_1`.
        views: of each of them, labels by scale, on the same grid; 1 is the usual size, mirrored,
            which is never doubted.
        num_classes: `C`.
    """
    found: dict[float, list[float]] = {}
    for plain, seen in zip(usual, views, strict=True):
        for scale in seen:
            others = [labels for other, labels in seen.items() if other != scale]
            if scale != 1 and others:
                both = [seen[scale], plain]
                support = torch.stack([agreement(both, each, num_classes) for each in others])
                own, alone = support.mean(dim=0).tolist()
                found.setdefault(scale, []).append(own - alone)
    refuted = [scale for scale, differences in found.items() if surely_worse(differences)]
    return tuple(
        scale for scale in found if any(min(1, scale) <= each <= max(1, scale) for each in refuted)
    )
