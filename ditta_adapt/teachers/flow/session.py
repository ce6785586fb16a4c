"""One session of optical flow on a video."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from ditta_adapt.teachers.base_session import BaseSession
from ditta_adapt.teachers.flow.field import FlowField
from ditta_adapt.teachers.propagator import Prompt


class FlowSession(BaseSession[FlowField]):
    """Follows masks from the prompts' regions; offers `DenseWarper` too."""

    def expect(self, t: int, to: int) -> None:
        """Begin to look for the flow that `warp(maps, t, to)` needs; see `FlowField.expect`."""
        self._video_between(t, to).expect(t, to)

    def warp(
        self, maps: Float[Tensor, "K h w"], t: int, to: int
    ) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
        """Move maps from frame `t` to a neighbour: bilinear, 0 where there is no valid source."""
        height, width = maps.shape[1:]
        video = self._video_between(t, to)
        grid, valid = video.lookup(t, to, (height, width), maps.device)
        moved = F.grid_sample(maps.unsqueeze(0), grid.to(maps).unsqueeze(0), align_corners=True)[0]
        return moved * valid, valid

    def _start(self, video: FlowField, t: int, prompts: Sequence[Prompt]) -> Bool[Tensor, "N H W"]:
        return torch.stack([prompt.region.cpu() for prompt in prompts])

    def _follow(self, video: FlowField, t: int, to: int) -> Bool[Tensor, "N H W"]:
        """Move all masks. What fails the forward-backward check is left out."""
        moved, valid = self.warp(self._masks.float(), t, to)
        return (moved > 0.5) & valid
