"""What a score beyond the usual is: it is measured only where it is asked for."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.evaluation.motion import Motion


class Classes(NamedTuple):
    """How many classes there are."""

    model: int
    """of the model."""
    shown: int
    """of the labels, and one more if some of the model's are none of these."""


@dataclass(frozen=True, slots=True)
class ScoredFrame:
    """A frame that was labelled.

    Attributes:
        prediction: `(H, W)`, classes of the model.
        shown: `(H, W)`, the same as classes of the labels.
        target: `(H, W)`, true classes, negative where a pixel does not count; `None` without
            labels.
        motion: warps labels of this frame onto the one before, until the next frame comes.
    """

    prediction: Int64[Tensor, "H W"]
    shown: Int64[Tensor, "H W"]
    target: Int64[Tensor, "H W"] | None
    motion: Motion


class Extra(ABC):
    """Counts of one video for one or several scores that are measured together.

    Args:
        classes: of the video.

    Attributes:
        key: under which results keep the counts.
        names: of the scores.
    """

    key: ClassVar[str]
    names: ClassVar[tuple[str, ...]]

    @abstractmethod
    def __init__(self, classes: Classes) -> None: ...

    @abstractmethod
    def update(self, frame: ScoredFrame) -> None:
        """Count the next frame of the video, labelled or not."""

    @abstractmethod
    def counts(self) -> Any:
        """What was counted so far, as a value that JSON can hold."""

    @classmethod
    @abstractmethod
    def pooled(cls, counts: Sequence[Any]) -> dict[str, float]:
        """Scores by name, in [0, 1], NaN where there was nothing to count.

        Args:
            counts: of at least one video, in any order: it does not change the scores.

        Raises:
            InputError, LookupError, TypeError, ValueError: they are no such counts.
        """
