"""What sessions on one video share: features of its frames."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.shared_video import SharedVideo
from ditta_adapt.teachers.stcn.frame_images import image_of, network_size
from ditta_adapt.teachers.stcn.network import FrameFeatures, SpaceTimeNetwork


class StcnVideo(SharedVideo):
    """Images and features by frame.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        network: in eval mode.
        shorter_side: see `network_size`.

    Attributes:
        inner: `(H, W)` that the network sees.
    """

    def __init__(
        self, frames: Sequence[Frame], network: SpaceTimeNetwork, shorter_side: int
    ) -> None:
        super().__init__(frames)
        self.network = network
        self.inner = network_size(self.size, shorter_side)
        self._kept: dict[int, FrameFeatures] = {}

    def image(self, t: int) -> Float[Tensor, "1 3 h w"]:
        """Frame `t` as the network takes it."""
        return image_of(self.frame(t), self.inner, self.network.mask.weight.device)

    @torch.no_grad()
    def features(self, t: int) -> FrameFeatures:
        """Of frame `t` alone."""
        if t not in self._kept:
            found = self.network.encode(self.image(t))
            if self.sessions < 2:
                # A single session will not come back to a frame it has left.
                self._kept.clear()
            oldest = self.oldest
            self._kept = {index: kept for index, kept in self._kept.items() if index >= oldest}
            self._kept[t] = found
        return self._kept[t]
