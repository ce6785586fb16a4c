"""What is known of a frame before it is streamed."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from ditta_adapt.models.segmenter import Encoded


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a frame before it is streamed; of most frames nothing.

    Attributes:
        encoded: by the frozen encoder.
        votes: of a second look at it, which are remembered; nobody is judged by it.
        taught: whether it was learned from. It then gets no look by the plan, which would say
            nothing new.
    """

    encoded: Encoded | None = None
    votes: Float[Tensor, "C h w"] | None = None
    taught: bool = False


NOTHING = Known()
