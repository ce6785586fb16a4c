"""Who finds the motion between two frames."""

from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float, UInt8
from torch import Tensor


@runtime_checkable
class FlowEstimator(Protocol):
    """Dense optical flow between two frames, both ways at once."""

    def prepare(self, frame: UInt8[Tensor, "3 H W"], size: tuple[int, int]) -> Any:
        """What is needed of one frame, such as its grey levels at `(h, w)`; asked for once."""
        ...

    def flow(self, first: Any, second: Any) -> Float[Tensor, "2 2 h w"]:
        """Motion `(dx, dy)` in pixels: from the first frame to the second, and back.

        A point `x` of the first frame is at `x + flow[0](x)` in the second. On a grid over the
        whole frame, whose pixels are the unit.
        """
        ...
