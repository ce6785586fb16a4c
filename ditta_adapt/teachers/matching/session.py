"""One session of matching on a video."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ditta_adapt.ops.guided_filter import guided_upsampling
from ditta_adapt.teachers.base_session import BaseSession
from ditta_adapt.teachers.matching.memory import Memory
from ditta_adapt.teachers.matching.video import MatchingVideo
from ditta_adapt.teachers.propagator import Prompt

_FINER = 3
"""Points of a cell's side at which masks and colours are compared."""
_WINDOW = 2
"""Cells to either side of a place where they are: an edge may be anywhere between two cells, and
what lies beyond must be seen to tell the colours of both sides."""

_AT_ONCE = 8
"""Objects; each takes four maps at the size of the frame."""


class MatchingSession(BaseSession[MatchingVideo]):
    """Follows masks from the prompts' regions; offers `DenseWarper` and `FeatureSource` too.

    Args:
        video: keys of the frames.
        every, most, top_k: see `Memory`.
    """

    def __init__(self, video: MatchingVideo, *, every: int, most: int, top_k: int) -> None:
        super().__init__(video)
        self._every, self._most, self._top_k = every, most, top_k
        self._memory: Memory | None = None

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Keys of a frame, see `MatchingVideo.keys`."""
        return self._video_on(t).keys(t).clone()

    def warp(
        self, maps: Float[Tensor, "K h w"], t: int, to: int
    ) -> tuple[Float[Tensor, "K h w"], Bool[Tensor, "h w"]]:
        """Move maps from frame `t` to a neighbour: bilinear, 0 where there is no valid source."""
        video = self._video_between(t, to)
        grid, valid = video.lookup(t, to, (maps.shape[1], maps.shape[2]))
        grid, valid = grid.to(maps), valid.to(maps.device)
        moved = F.grid_sample(maps.unsqueeze(0), grid.unsqueeze(0), align_corners=True)[0]
        return moved * valid, valid

    def close(self) -> None:
        """Free everything; a closed session refuses to go on."""
        super().close()
        self._memory = None

    def _start(
        self, video: MatchingVideo, t: int, prompts: Sequence[Prompt]
    ) -> Bool[Tensor, "N H W"]:
        regions = torch.stack([prompt.region.cpu() for prompt in prompts])
        keys = video.keys(t)
        masks = F.interpolate(regions[None].to(keys), video.grid, mode="area")[0]
        if self._memory is None:
            network = video.trained.network
            self._memory = Memory(network, every=self._every, most=self._most, top_k=self._top_k)
        self._memory.begin(t, keys, masks)
        return regions

    def _follow(self, video: MatchingVideo, t: int, to: int) -> Bool[Tensor, "N H W"]:
        assert self._memory is not None
        found = self._memory.follow(to, video.keys(to))
        winner = self._winners(video, to, found).cpu()
        return torch.stack([winner == number for number in range(1, len(found) + 1)])

    def _winners(
        self, video: MatchingVideo, t: int, masks: Float[Tensor, "K h w"]
    ) -> Int64[Tensor, "H W"]:
        """Which object has most of a pixel, counted from 1; 0 where the background has.

        What objects share was decided on the grid; between its cells they share anew, some at a
        time: all of them at frame size may not fit.
        """
        rest = torch.ones(video.size, dtype=masks.dtype, device=masks.device)
        most = torch.full_like(rest, -torch.inf)
        winner = torch.zeros_like(rest, dtype=torch.int64)
        for first in range(0, len(masks), _AT_ONCE):
            fine = self._at_frame_size(video, t, masks[first : first + _AT_ONCE])
            share, index = fine.max(dim=0)
            winner = torch.where(share > most, first + 1 + index, winner)
            most = torch.maximum(share, most)
            rest = rest - fine.sum(dim=0)
        return torch.where(rest >= most, 0, winner)

    def _at_frame_size(
        self, video: MatchingVideo, t: int, masks: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K H W"]:
        """Masks on the grid with the edges of the frame: a cell does not say where in it one is."""
        if video.grid == video.size:
            return masks
        height, width = (
            min(_FINER * cells, side) for cells, side in zip(video.grid, video.size, strict=True)
        )
        radius = max(round(_WINDOW * width / video.grid[1]), 1)
        guide = video.frame(t).to(masks) / 255
        return guided_upsampling(masks, guide, radius=radius, size=(height, width))
