"""Opens sessions that move masks along optical flow."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch

from ditta_adapt import Frame, InputError
from ditta_adapt.adapters.optical_flow.dis import DIS
from ditta_adapt.io import require
from ditta_adapt.teachers import BasePropagator
from ditta_adapt.teachers.flow import FlowEstimator, FlowField, FlowSession, LucasKanade

Method = Literal["auto", "dis", "lucas-kanade"]


class OpticalFlowPropagator(BasePropagator[FlowField, FlowSession]):
    """Moves masks, and any per-pixel map, by dense optical flow with a forward-backward check.

    A pixel looks up where it was in the frame before (backward warping, bilinear). The look-up
    counts only if flowing there and back ends near where it began, within
    `tolerance + 0.1 * |flow|` pixels, and if it stays inside the image. Masks start from the
    prompt's region, not from its point. Sessions on the same frames share the flow between them.

    Args:
        max_side: flow is computed on frames scaled down to this length of their longer side.
        tolerance: of the forward-backward check, in pixels at that scale.
        method: who finds the flow: `"dis"`, OpenCV's dense inverse search, on the CPU;
            `"lucas-kanade"`, plain torch, on the device of what is warped; `"auto"`, DIS for maps
            on a CPU, else the other.

    Raises:
        MissingDependencyError: OpenCV is needed and not installed.
        InputError: an argument out of range.
    """

    def __init__(
        self, *, max_side: int = 512, tolerance: float = 2.0, method: Method = "auto"
    ) -> None:
        super().__init__()
        if max_side < 16 or tolerance < 0:
            raise InputError(
                f"max_side is {max_side} and tolerance {tolerance}; expected at least 16 and 0."
            )
        if method not in get_args(Method):
            raise InputError(f"method is {method!r}; expected one of {get_args(Method)}.")
        if method == "dis" or (method == "auto" and not torch.cuda.is_available()):
            require("cv2")
        self.max_side, self.tolerance, self.method = max_side, tolerance, method

    def _watch(self, frames: Sequence[Frame]) -> FlowField:
        return FlowField(frames, self._estimator, self.max_side, self.tolerance)

    def _session(self, video: FlowField) -> FlowSession:
        return FlowSession(video)

    def _estimator(self, device: torch.device) -> FlowEstimator:
        by_dis = self.method == "dis" or (self.method == "auto" and device.type == "cpu")
        return DIS() if by_dis else LucasKanade()
