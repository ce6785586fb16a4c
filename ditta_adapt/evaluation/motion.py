"""Labels of a frame warped back onto the frame before it, along optical flow."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frame_to_tensor
from ditta_adapt.teachers.flow import FlowEstimator, FlowField, LucasKanade
from ditta_adapt.teachers.live_frames import LiveFrames

NOWHERE = -1
"""Label of a pixel that nothing is warped to."""
_MAX_SIDE, _TOLERANCE = 512, 2.0


def _plain_torch(device: torch.device) -> FlowEstimator:
    return LucasKanade()


class Motion:
    """Flow between the last two frames of a video, found when it is first asked for.

    It is the library's own flow in plain torch, on the CPU whatever there is, so that a score does
    not depend on what is installed. Two frames are held.

    Args:
        estimator_for: another flow, by the device of what is warped.
    """

    def __init__(
        self, estimator_for: Callable[[torch.device], FlowEstimator] = _plain_torch
    ) -> None:
        self._estimator_for = estimator_for
        self._frames = LiveFrames(keep=2)
        self._field: FlowField | None = None

    def take(self, frame: Frame) -> None:
        """Take the next frame of the video; a copy is kept.

        Raises:
            ShapeError: not `(H, W, 3)` uint8.
        """
        self._frames.append(frame_to_tensor(frame).cpu().permute(1, 2, 0))

    def warped_back(self, labels: Int64[Tensor, "H W"]) -> Int64[Tensor, "H W"]:
        """Labels of the last frame, as they are seen from the frame before it.

        Each pixel of the frame before looks up the label where it has gone to, at the nearest
        pixel. `NOWHERE` where it left the image, or where flowing there and back does not end near
        where it began, see `teachers.flow.lookup`.

        Args:
            labels: `(H, W)`, of magnitude under 2^24, on the CPU.

        Raises:
            InputError: fewer than two frames have come.
            ShapeError: they differ in size.
        """
        last = len(self._frames) - 1
        if last < 1:
            raise InputError(f"{last + 1} frames have come; labels are warped between two.")
        if self._field is None:
            self._field = FlowField(self._frames, self._estimator_for, _MAX_SIDE, _TOLERANCE)
        height, width = labels.shape
        grid, trusted = self._field.lookup(last, last - 1, (height, width), labels.device)
        moved = F.grid_sample(labels[None, None].float(), grid[None], "nearest", align_corners=True)
        return torch.where(trusted, moved[0, 0].long(), NOWHERE)
