"""Dense optical flow between neighbouring frames, by OpenCV's DIS."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt import Frame
from ditta_adapt.io import require
from ditta_adapt.teachers import SharedVideo


class FlowField(SharedVideo):
    """Flow between neighbouring frames, computed once a pair and direction.

    It is kept for as long as both frames are: in a live video, for the last two.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        max_side: of the frames that flow is computed on.
        tolerance: of the forward-backward check, in pixels of these.
    """

    def __init__(self, frames: Sequence[Frame], max_side: int, tolerance: float) -> None:
        super().__init__(frames)
        self._tolerance = tolerance
        scale = min(1.0, max_side / max(self.size))
        # DIS needs a few pixels for its coarsest patches.
        self._small = tuple(max(16, round(side * scale)) for side in self.size)
        cv2 = require("cv2")
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._flows: dict[tuple[int, int], Tensor] = {}

    def lookup(
        self, t: int, to: int, size: tuple[int, int]
    ) -> tuple[Float[Tensor, "h w 2"], Bool[Tensor, "h w"]]:
        """Where each cell of frame `to` was in its neighbour `t`, and whether to trust it.

        Args:
            t: where maps are.
            to: where they go.
            size: `(h, w)` of a grid of cells over the whole frame.

        Returns:
            Places `(x, y)` in [-1, 1] on frame `t`, and which of them pass the check.
        """
        height, width = self._small
        back, forth = self._flow(to, t), self._flow(t, to)
        ys, xs = torch.meshgrid(
            torch.arange(height, dtype=torch.float32, device="cpu"),
            torch.arange(width, dtype=torch.float32, device="cpu"),
            indexing="ij",
        )
        landing = torch.stack([xs + back[0], ys + back[1]], dim=-1)
        extent = torch.tensor([width - 1, height - 1], dtype=torch.float32, device="cpu")
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
            self._flows[start, end] = torch.from_numpy(flow).half()
            oldest = self.oldest
            self._flows = {pair: kept for pair, kept in self._flows.items() if min(pair) >= oldest}
        return self._flows[start, end].float().permute(2, 0, 1)

    def _grey(self, t: int) -> np.ndarray:
        cv2 = require("cv2")
        height, width = self._small
        image = np.ascontiguousarray(self.frame(t).permute(1, 2, 0).cpu().numpy())
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        grey: np.ndarray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        return grey
