"""What sessions of Cutie share: the network's view of the frames of one video."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt import Frame
from ditta_adapt.teachers import SharedVideo

STRIDE = 16
"""Of the features that Cutie remembers."""


def network_size(size: tuple[int, int], shorter_side: int) -> tuple[int, int]:
    """`(H, W)` that the network sees: no larger than asked, and of whole cells."""
    scale = min(1.0, shorter_side / min(size))
    height, width = (max(round(side * scale / STRIDE), 1) * STRIDE for side in size)
    return height, width


def image_of(frame: UInt8[Tensor, "3 H W"], size: tuple[int, int]) -> Float[Tensor, "3 h w"]:
    """A frame as the network takes it: in [0, 1], resized bilinearly with anti-aliasing."""
    image = frame.float()[None] / 255
    if image.shape[2:] != size:
        image = F.interpolate(image, size, mode="bilinear", antialias=True)
    return image[0]


@contextmanager
def quiet() -> Iterator[None]:
    """The package calls `torch.cuda.amp` by its old name at every step."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"`?torch\.cuda\.amp", FutureWarning)
        yield


class CutieVideo(SharedVideo):
    """Image features by frame; where the package's `InferenceCore` looks for them.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        network: a `CUTIE` in eval mode.
        shorter_side: see `network_size`.

    Attributes:
        inner: `(H, W)` that the network sees.
    """

    def __init__(self, frames: Sequence[Frame], network: Any, shorter_side: int) -> None:
        super().__init__(frames)
        self.network = network
        self.inner = network_size(self.size, shorter_side)
        self._kept: dict[int, tuple[Any, ...]] = {}

    def image(self, t: int) -> Float[Tensor, "3 h w"]:
        """Frame `t` as the network takes it."""
        return image_of(self.frame(t).to(self.network.device), self.inner)

    def features(self, t: int) -> tuple[Any, ...]:
        """Of frame `t`: features of three strides, their projection, key, shrinkage, selection."""
        if t not in self._kept:
            levels, projected = self.network.encode_image(self.image(t)[None])
            found = (levels, projected, *self.network.transform_key(levels[0]))
            if self.sessions < 2:
                # A single session will not come back to a frame it has left.
                self._kept.clear()
            oldest = self.oldest
            self._kept = {index: kept for index, kept in self._kept.items() if index >= oldest}
            self._kept[t] = found
        return self._kept[t]
