"""Space-time correspondence networks of a few thousand random weights."""

import torch

from ditta_adapt.teachers.stcn import SpaceTimeNetwork, StcnShape

TINY = StcnShape(
    block="basic",
    key_widths=(4, 4, 8, 8),
    key_depths=(1, 1, 1),
    value_widths=(4, 4, 4, 8),
    value_depths=(1, 1, 1),
    key=4,
    value=8,
    decoder=4,
)


def tiny() -> SpaceTimeNetwork:
    torch.manual_seed(0)
    return SpaceTimeNetwork(TINY).eval()
