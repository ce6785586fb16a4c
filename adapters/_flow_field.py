"""Dense optical flow between neighbouring frames, by OpenCV's DIS."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Frame, MissingDependencyError, PropagationError
from ditta_adapt.teachers.live_frames import oldest_kept


class FlowField:
    """Flow between neighbouring frames, computed once a pair and direction.

    It is kept for as long as both frames are: in a live video, for the last two.
    """

    def __init__(self, frames: Sequence[Frame], max_side: int, tolerance: float) -> None:
        self.frames = frames
        height, width = frames[oldest_kept(frames)].shape[:2]
        self.size: tuple[int, int] = (int(height), int(width))
        self._tolerance = tolerance
        scale = min(1.0, max_side / max(self.size))
        # DIS needs a few pixels for its coarsest patches.
        self._small = tuple(max(16, round(side * scale)) for side in self.size)
        self._dis = import_cv2().DISOpticalFlow_create(import_cv2().DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flows: dict[tuple[int, int], np.ndarray] = {}

    def lookup(
        self, t: int, to: int, size: tuple[int, int]
    ) -> tuple[Float[Tensor, "h w 2"], Bool[Tensor, "h w"]]:
        """Where each cell of frame `to` was in frame `t`, in [-1, 1], and whether to trust it.

        The cells are those of a grid of `size` over the whole frame.
        """
        for index in (t, to):
            if not 0 <= index < len(self.frames) or abs(t - to) != 1:
                raise PropagationError(
                    f"cannot go from frame {t} to {to} of {len(self.frames)}; expected neighbours."
                )
        height, width = self._small
        back, forth = self._flow(to, t), self._flow(t, to)
        ys, xs = torch.meshgrid(
            torch.arange(height, dtype=torch.float32),
            torch.arange(width, dtype=torch.float32),
            indexing="ij",
        )
        landing = torch.stack([xs + back[0], ys + back[1]], dim=-1)
        extent = torch.tensor([width - 1, height - 1], dtype=torch.float32)
        grid = 2 * landing / extent - 1
        returned = F.grid_sample(forth[None], grid[None], align_corners=True)[0]
        error = (back + returned).norm(dim=0)
        valid = error <= self._tolerance + 0.1 * back.norm(dim=0)
        valid &= ((landing >= 0) & (landing <= extent)).all(dim=-1)
        if tuple(self._small) == size:
            return grid, valid
        planes = torch.cat([grid.permute(2, 0, 1), valid[None].float()])
        # Corners map to corners in the normalised grid, so aligned corners keep zero flow at zero.
        planes = F.interpolate(planes[None], size, mode="bilinear", align_corners=True)[0]
        return planes[:2].permute(1, 2, 0), planes[2] > 0.5

    def _flow(self, start: int, end: int) -> Float[Tensor, "2 h w"]:
        if (start, end) not in self._flows:
            flow = self._dis.calc(self._grey(start), self._grey(end), None)
            # Half precision is exact to 1/16 pixel for motions under 128 pixels.
            self._flows[start, end] = flow.astype(np.float16)
            oldest = oldest_kept(self.frames)
            self._flows = {pair: kept for pair, kept in self._flows.items() if min(pair) >= oldest}
        return torch.from_numpy(self._flows[start, end].astype(np.float32)).permute(2, 0, 1)

    def _grey(self, index: int) -> np.ndarray:
        frame = self.frames[index]
        image = np.ascontiguousarray(frame.cpu().numpy() if isinstance(frame, Tensor) else frame)
        height, width = self._small
        cv2 = import_cv2()
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        grey: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey


def import_cv2() -> Any:
    """OpenCV, or an error that says which extra brings it."""
    try:
        import cv2
    except ImportError as error:
        raise MissingDependencyError.for_extra("OpenCV", "flow") from error
    return cv2
