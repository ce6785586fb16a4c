"""One session of a space-time correspondence network on a video."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from ditta_adapt.teachers.base_session import BaseSession
from ditta_adapt.teachers.propagator import Prompt
from ditta_adapt.teachers.soft_aggregation import aggregation_logits
from ditta_adapt.teachers.stcn.frame_images import on_grid
from ditta_adapt.teachers.stcn.memory import StcnMemory
from ditta_adapt.teachers.stcn.network import others_of
from ditta_adapt.teachers.stcn.video import StcnVideo

_AT_ONCE = 8
"""Objects that are decoded together: each takes maps at a quarter of the frame's size."""


class StcnSession(BaseSession[StcnVideo]):
    """Follows masks from the prompts' regions; offers `FeatureSource` too.

    Args:
        video: features of the frames.
        memory: empty.
    """

    def __init__(self, video: StcnVideo, memory: StcnMemory) -> None:
        super().__init__(video)
        self._memory = memory
        self._soft = torch.zeros(0, *video.inner)

    def features(self, t: int) -> Float[Tensor, "D h w"]:
        """Keys of a frame, of stride 16."""
        return self._video_on(t).features(t).key[0].clone()

    def close(self) -> None:
        """Free memory; a closed session refuses to go on."""
        super().close()
        self._memory.begins.clear()
        self._memory.since.clear()
        self._soft = self._soft[:0].clone()

    def _start(self, video: StcnVideo, t: int, prompts: Sequence[Prompt]) -> Bool[Tensor, "N H W"]:
        device = video.network.mask.weight.device
        regions = torch.stack([prompt.region.cpu() for prompt in prompts])
        new = on_grid(regions.to(device), video.inner)
        # What was followed so far gives way: the new region was said, the old mask was found.
        taken = 1 - new.sum(dim=0, keepdim=True).clamp(max=1)
        self._soft = torch.cat([self._soft.to(device) * taken, new])
        begun = slice(len(self._soft) - len(new), None)
        self._memory.begin(t, video.features(t).key, self._values(video, t)[begun])
        return regions

    def _follow(self, video: StcnVideo, t: int, to: int) -> Bool[Tensor, "N H W"]:
        with torch.no_grad():
            features = video.features(to)
            found = self._memory.read(to, features.key)
            decoded = [
                video.network.decode(found[some], features.times(len(found[some])))
                for some in _parts(len(found))
            ]
            self._soft = aggregation_logits(torch.cat(decoded).sigmoid()).softmax(dim=0)[1:]
        if self._memory.wants(to):
            self._memory.add(to, features.key, self._values(video, to))
        winner = _winners(self._soft, video.size).cpu()
        return torch.stack([winner == number for number in range(1, len(found) + 1)])

    @torch.no_grad()
    def _values(self, video: StcnVideo, t: int) -> Float[Tensor, "K V h w"]:
        """Of all objects, as they are in frame `t`."""
        image, features = video.image(t), video.features(t)
        masks, others = self._soft, others_of(self._soft)
        values = [
            video.network.remember(
                image.expand(len(masks[some]), -1, -1, -1),
                features.times(len(masks[some])).deep,
                masks[some],
                others[some],
            )
            for some in _parts(len(masks))
        ]
        return torch.cat(values)


def _parts(count: int) -> list[slice]:
    return [slice(first, first + _AT_ONCE) for first in range(0, count, _AT_ONCE)]


def _winners(masks: Float[Tensor, "K h w"], size: tuple[int, int]) -> Int64[Tensor, "H W"]:
    """Which object has most of a pixel, counted from 1; 0 where the background has.

    Object by object: all of them at frame size may not fit.
    """
    most = _resized(1 - masks.sum(dim=0), size)
    winner = torch.zeros(size, dtype=torch.int64, device=masks.device)
    for number, mask in enumerate(masks, start=1):
        fine = _resized(mask, size)
        winner = torch.where(fine > most, number, winner)
        most = torch.maximum(fine, most)
    return winner


def _resized(mask: Float[Tensor, "h w"], size: tuple[int, int]) -> Float[Tensor, "H W"]:
    resized: Tensor = F.interpolate(mask[None, None], size, mode="bilinear", align_corners=False)
    return resized[0, 0]
