"""What the student learns from: labels, and how far each is trusted."""

from dataclasses import dataclass, field

from jaxtyping import Float, Int16, Integer
from torch import Tensor

IGNORE = -1
"""Label of pixels that teach nothing; negative, so that it is no class whatever `C` is."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What the student learns from, frame by frame.

    Attributes:
        labels: per frame `(H, W)` int16, a class or `IGNORE`, at frame size or on any coarser grid
            over the frame.
        object_ids: per frame `(H, W)`, the object on top at each pixel, 0 = none. Empty where no
            objects were followed.
        classes: how many objects got each class, by class.
        learnable: whether there is anything to learn from.
        source: in plain words, where the labels come from, or why there is nothing to learn.
        confidence: per frame, on the grid of the labels, how far each is trusted, in [0, 1]: the
            rest of its weight goes to the frozen model's own distribution. Empty: trusted fully.
    """

    labels: list[Int16[Tensor, "H W"]]
    object_ids: list[Integer[Tensor, "H W"]]
    classes: dict[int, int]
    learnable: bool
    source: str
    confidence: list[Float[Tensor, "H W"]] = field(default_factory=list)
