"""The warm-up frames, and what the frozen image model says about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import AdaptConfig
from ditta_adapt.models.encodings import EncodingCache, FrameCache
from ditta_adapt.models.frozen_prediction import FrozenPrediction, predict_frozen
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Segmenter, check_output
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.reliability import Normalizer


@dataclass(frozen=True)
class WarmUp:
    """The warm-up frames and what the frozen image model says about them.

    Attributes:
        frames: `(3, H, W)` uint8 RGB each, of one size.
        segmenter: the image model with its pre-trained weights.
        encodings: of every frame.
        frozen_logits: of the image model on every frame, `(1, C, h, w)` float32 on its grid; kept,
            so not to be written to.
        normalizer: of the reliability in `predictions`.
    """

    frames: Sequence[UInt8[Tensor, "3 H W"]]
    segmenter: Segmenter
    encodings: EncodingCache
    frozen_logits: FrameCache[Tensor]
    normalizer: Normalizer

    @classmethod
    def from_frames(
        cls,
        segmenter: Segmenter,
        frames: Sequence[UInt8[Tensor, "3 H W"]],
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> "WarmUp":
        """Encode and decode every frame with a segmenter as it is.

        Raises:
            SegmenterError: its output breaks its contract, such as NaN in the logits.
        """
        device = device_of(segmenter)
        encodings = EncodingCache(
            segmenter,
            frames,
            device,
            device_bytes=config.device_cache_bytes,
            cpu_bytes=config.cpu_cache_bytes,
        )

        def decode(t: int) -> Tensor:
            with torch.no_grad():
                output = segmenter.decode(encodings[t])
                check_output(output, segmenter.num_classes, segmenter.feature_dim)
                # A copy: a model may write its next output over this one.
                return output.logits.to(torch.float32, copy=True)

        frozen_logits = FrameCache(decode, len(frames), device, encodings.budget)
        for t in range(len(frames)):
            frozen_logits[t]
            progress(Progress("predict", t + 1, len(frames)))
        return cls(frames, segmenter, encodings, frozen_logits, config.reliability_normalizer)

    @cached_property
    def predictions(self) -> Sequence[FrozenPrediction]:
        """Labels and reliability of the image model on every frame, at frame size."""
        return predict_frozen(self.grid_logits, len(self.frames), self.size, self.normalizer)

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)` of the frames."""
        height, width = self.frames[0].shape[1:]
        return height, width

    @cached_property
    def grid(self) -> tuple[int, int]:
        """`(h, w)` of the decoder's logits."""
        height, width = self.grid_logits(0).shape[2:]
        return height, width

    @cached_property
    def video(self) -> tuple[UInt8[Tensor, "H W 3"], ...]:
        """The frames as a teacher takes them, channels last.

        It is one object, however often it is asked for: by it a teacher knows that its sessions
        can share work.
        """
        return tuple(frame.permute(1, 2, 0) for frame in self.frames)

    def grid_logits(self, t: int) -> Float[Tensor, "1 C h w"]:
        """Logits of the image model on frame `t`, on its decoder's grid; see `frozen_logits`."""
        return self.frozen_logits[t]

    def logits(self, t: int) -> Float[Tensor, "1 C H W"]:
        """Logits of the image model on frame `t`, at frame size, without gradients."""
        return resize_logits(self.grid_logits(t), self.size)
