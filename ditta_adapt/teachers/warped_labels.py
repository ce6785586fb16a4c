"""Labels of one frame, brought to its neighbour."""

import torch
from jaxtyping import Bool, Int64, Integer
from torch import Tensor

from ditta_adapt.teachers.warped_votes import Warp


def warp_labels(
    warp: Warp, labels: Integer[Tensor, "h w"], num_classes: int
) -> tuple[Int64[Tensor, "h w"], Bool[Tensor, "h w"]]:
    r"""Labels of one frame as they lie on its neighbour.

    .. math:: y' = \arg\max_c\, warp([y = c])

    Args:
        warp: from the frame to its neighbour.
        labels: in [0, num_classes), on any grid over the frame.
        num_classes: `C`.

    Returns:
        Labels, and which cells have a source; elsewhere labels say nothing.

    Raises:
        PropagationError: the propagator raised, or what it returned does not fit.
    """
    classes = torch.arange(num_classes, device=labels.device)
    warped, valid = warp((labels == classes[:, None, None]).float())
    most = warped.max(dim=0)
    return most.indices, valid & (most.values > 0)
