"""How wide and how deep a space-time correspondence network is."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StcnShape:
    """Numbers of channels and blocks; strides are 4, 8 and 16 in all of them.

    Attributes:
        block: of the key encoder's residual blocks; those of the value encoder are basic ones.
        key_widths: channels of the key encoder after its stem and at the three strides.
        key_depths: its blocks at each stride.
        value_widths: the same of the value encoder.
        value_depths: its blocks.
        key: channels of keys.
        value: channels of values.
        decoder: channels of the decoder at strides 8 and 4.
    """

    block: Literal["basic", "bottleneck"]
    key_widths: tuple[int, int, int, int]
    key_depths: tuple[int, int, int]
    value_widths: tuple[int, int, int, int]
    value_depths: tuple[int, int, int]
    key: int
    value: int
    decoder: int


SMALL = StcnShape(
    block="basic",
    key_widths=(32, 48, 96, 160),
    key_depths=(2, 2, 3),
    value_widths=(24, 32, 48, 96),
    value_depths=(1, 1, 2),
    key=64,
    value=128,
    decoder=64,
)
"""Of the weights that ship with the package: two cores can train it."""

RELEASED = StcnShape(
    block="bottleneck",
    key_widths=(64, 256, 512, 1024),
    key_depths=(3, 4, 6),
    value_widths=(64, 64, 128, 256),
    value_depths=(2, 2, 2),
    key=64,
    value=512,
    decoder=256,
)
"""Of the authors' weights: ResNet-50 for keys, ResNet-18 for values.

Source: Cheng et al., "Rethinking Space-Time Networks with Improved Memory Coverage", NeurIPS 2021.
"""
