"""What everybody said of one frame, where it lies on the next one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from ditta_adapt.safety.judge import Speaker
from ditta_adapt.teachers.warped_labels import warp_labels
from ditta_adapt.teachers.warped_votes import Warp

Said: TypeAlias = Mapping[Speaker, Int64[Tensor, "h w"]]
"""Labels of a frame by everybody who may speak, the image model among them."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What everybody said of the frame before, where it lies on this one.

    Attributes:
        said: their labels.
        known: cells that have a source in the frame before, for all of them.
    """

    said: Said
    known: Bool[Tensor, "h w"]


def carry(said: Said, warp: Warp, num_classes: int) -> Carried:
    """Bring what was said of a frame to its neighbour.

    Args:
        said: of the frame.
        warp: from the frame to its neighbour.
        num_classes: `C`.

    Raises:
        PropagationError: the propagator raised, or what it returned does not fit.
    """
    moved = {name: warp_labels(warp, labels, num_classes) for name, labels in said.items()}
    known = torch.stack([known for _, known in moved.values()]).all(dim=0)
    return Carried({name: labels for name, (labels, _) in moved.items()}, known)
