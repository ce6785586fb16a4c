"""Opens sessions that move masks along optical flow."""

from collections.abc import Sequence

from ditta_adapt import Frame, InputError
from ditta_adapt.adapters.optical_flow.flow_field import FlowField
from ditta_adapt.adapters.optical_flow.session import FlowSession
from ditta_adapt.io import require
from ditta_adapt.teachers import BasePropagator


class OpticalFlowPropagator(BasePropagator[FlowField, FlowSession]):
    """Moves masks, and any per-pixel map, by DIS optical flow with a forward-backward check.

    A pixel looks up where it was in the frame before (backward warping, bilinear). The look-up
    counts only if flowing there and back ends near where it began, within
    `tolerance + 0.1 * |flow|` pixels, and if it stays inside the image. Masks start from the
    prompt's region, not from its point. Sessions on the same frames share the flow between them.

    Args:
        max_side: flow is computed on frames scaled down to this length of their longer side.
        tolerance: of the forward-backward check, in pixels at that scale.

    Raises:
        MissingDependencyError: OpenCV is not installed.
        InputError: an argument out of range.
    """

    def __init__(self, *, max_side: int = 512, tolerance: float = 2.0) -> None:
        super().__init__()
        if max_side < 16 or tolerance < 0:
            raise InputError(
                f"max_side is {max_side} and tolerance {tolerance}; expected at least 16 and 0."
            )
        require("cv2")
        self.max_side = max_side
        self.tolerance = tolerance

    def _watch(self, frames: Sequence[Frame]) -> FlowField:
        return FlowField(frames, self.max_side, self.tolerance)

    def _session(self, video: FlowField) -> FlowSession:
        return FlowSession(video)
