"""How far a labelling agrees with a second look, class by class."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Integer
from torch import Tensor


def agreement(
    labellings: Sequence[Integer[Tensor, "h w"]],
    look: Integer[Tensor, "h w"],
    num_classes: int,
    *,
    where: Bool[Tensor, "h w"] | None = None,
    least_share: float = 0.002,
    exponent: float = 0.5,
) -> Float[Tensor, " N"]:
    r"""Mean IoU of several labellings with a look, weighted so that small things count.

    .. math:: a_n = \frac{\sum_c w_c\, IoU_c(y_n, y)}{\sum_c w_c}, \qquad
              w_c = \left(\max_n |y_n = c| \vee |y = c|\right)^{e}

    All labellings are compared over the same classes: those that one of them or the look gives to
    `least_share` of the frame or more. Where neither a labelling nor the look shows a class the two
    agree on it, IoU 1; so a class that only one labelling invents speaks against that one.

    Args:
        labellings: of one frame.
        look: labels of the look, on the same grid.
        num_classes: `C`.
        where: cells that count; all of them if left out.
        least_share: classes that nobody gives this share of the frame are left out.
        exponent: `e` in [0, 1]; 0 counts classes alike, 1 by their area.

    Returns:
        `(N,)` float64 in [0, 1], on the device of the labels.
    """
    cells: int | Tensor = look.numel()
    if where is not None:
        # A class of its own, which is not counted.
        masked = (torch.where(where, each.long(), num_classes) for each in (look, *labellings))
        look, *labellings = masked
        cells = where.sum()
    of_look = _areas(look, num_classes)
    areas = torch.stack([_areas(labels, num_classes) for labels in labellings])
    both = torch.stack([_overlap(labels, look, num_classes) for labels in labellings])
    union = areas + of_look - both
    iou = torch.where(union > 0, both / union.clamp(min=1), torch.ones_like(both))
    largest = torch.cat([areas, of_look.unsqueeze(0)]).amax(dim=0)
    counted = (largest > 0) & (largest >= least_share * cells)
    weight = torch.where(counted, largest**exponent, 0.0)
    return (iou * weight).sum(dim=1) / weight.sum().clamp(min=1e-12)


def _areas(labels: Tensor, num_classes: int) -> Float[Tensor, " C"]:
    return _count(labels.flatten().long(), num_classes + 1)[:num_classes]


def _overlap(labels: Tensor, look: Tensor, num_classes: int) -> Float[Tensor, " C"]:
    """Cells of every class on which both agree."""
    agreed = torch.where(labels == look, look.long(), num_classes)
    return _count(agreed.flatten(), num_classes + 1)[:num_classes]


def _count(values: Tensor, bins: int) -> Float[Tensor, " bins"]:
    # Unlike `bincount` this needs no answer of the device, and is the same on every run.
    zeros = torch.zeros(bins, dtype=torch.int64, device=values.device)
    return zeros.scatter_add_(0, values, torch.ones_like(values)).double()
