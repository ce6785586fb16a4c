"""The warm-up frames, and what the frozen image model says about them."""

from collections.abc import Iterable, Sequence, Sized
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.config import CacheBudget, SecondLook
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import frame_size
from ditta_adapt.models.encodings import CacheSpace, FrameCache
from ditta_adapt.models.forward import decode_checked, encode_frame
from ditta_adapt.models.frozen_prediction import FrozenPrediction, predict_frozen
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Encoded, Segmenter
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.reliability import Normalizer
from ditta_adapt.targets.looks import WarmUpLooks


@dataclass(frozen=True)
class WarmUp:
    """The first frames of a video, each encoded and decoded once by the frozen image model.

    Attributes:
        frames: `(3, H, W)` uint8 RGB each, of one size.
        segmenter: the image model with its pre-trained weights.
        encodings: of every frame.
        frozen_logits: of the image model on every frame, `(1, C, h, w)` float32 on its grid; kept,
            so not to be written to.
        normalizer: of the reliability in `predictions`.
        space: where more of the frames may be kept.
        looks: second looks at the frames; none where there are none.
        spent: what looks cost that are not used, in passes of the image model.
    """

    frames: Sequence[UInt8[Tensor, "3 H W"]]
    segmenter: Segmenter
    encodings: FrameCache[Encoded]
    frozen_logits: FrameCache[Tensor]
    normalizer: Normalizer
    space: CacheSpace
    looks: WarmUpLooks | None = None
    spent: float = 0.0

    @classmethod
    def from_frames(
        cls,
        segmenter: Segmenter,
        frames: Sequence[UInt8[Tensor, "3 H W"]],
        progress: ProgressCallback,
        *,
        normalizer: Normalizer = "frame",
        budget: CacheBudget | None = None,
    ) -> "WarmUp":
        """Encode and decode every frame with a segmenter as it is.

        Raises:
            SegmenterError: its output breaks its contract, such as NaN in the logits.
        """
        device = device_of(segmenter)
        space = CacheSpace(device, budget or CacheBudget())
        encodings: FrameCache[Encoded] = FrameCache(
            lambda t: encode_frame(segmenter, frames[t]), len(frames), device, space
        )

        def decode(t: int) -> Tensor:
            with torch.no_grad():
                # A copy: a model may write its next output over this one.
                logits = decode_checked(segmenter, encodings[t]).logits
                return logits.to(torch.float32, copy=True)

        frozen_logits = FrameCache(decode, len(frames), device, space)
        for t in range(len(frames)):
            frozen_logits[t]
            progress(Progress("predict", t + 1, len(frames)))
        return cls(frames, segmenter, encodings, frozen_logits, normalizer, space)

    def looking(self, options: SecondLook) -> "WarmUp":
        """The same with other second looks, taken when they are asked for; none so far is kept."""
        looks = WarmUpLooks(self.segmenter, self.frames, self.grid_logits, options, self.space)
        return replace(self.without_looks(), looks=looks)

    def without_looks(self) -> "WarmUp":
        """The same without second looks; what is known of their cost."""
        if self.looks is not None:
            self.looks.clear()
        return replace(self, looks=None, spent=self.look_passes)

    def looked_at(self, progress: ProgressCallback) -> "WarmUp":
        """The same with its second looks taken, if the model can be shown frames otherwise."""
        looks = self.looks
        assert looks is not None
        for t in range(len(self.frames)):
            looks[t]
            if not looks.possible:
                return self.without_looks()
            progress(Progress("look", t + 1, len(self.frames)))
        return self

    @cached_property
    def predictions(self) -> Sequence[FrozenPrediction]:
        """Labels and reliability of what teaches, on every frame, at frame size."""
        return predict_frozen(self.teaching_logits, len(self.frames), self.size, self.normalizer)

    @property
    def look_passes(self) -> float:
        """What all second looks cost so far, in passes of the image model."""
        return self.spent + (0.0 if self.looks is None else self.looks.passes)

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)` of the frames."""
        return frame_size(self.frames[0])

    @cached_property
    def grid(self) -> tuple[int, int]:
        """`(h, w)` of the decoder's logits."""
        height, width = self.grid_logits(0).shape[2:]
        return height, width

    @cached_property
    def video(self) -> tuple[UInt8[Tensor, "H W 3"], ...]:
        """The frames as a propagator takes them, channels last.

        It is one object, however often it is asked for: sessions that are open on it share what
        depends on frames alone, see `Propagator.open`.
        """
        return tuple(frame.permute(1, 2, 0) for frame in self.frames)

    def grid_logits(self, t: int) -> Float[Tensor, "1 C h w"]:
        """Logits of the image model on frame `t`, on its decoder's grid; see `frozen_logits`."""
        return self.frozen_logits[t]

    def teaching_logits(self, t: int) -> Float[Tensor, "1 C h w"]:
        """Those of the second look at frame `t`, else of the image model; on the same grid."""
        return self.grid_logits(t) if self.looks is None else self.looks[t]

    def logits(self, t: int) -> Float[Tensor, "1 C H W"]:
        """Logits of the image model on frame `t`, at frame size, without gradients."""
        return resize_logits(self.grid_logits(t), self.size)


def warmup_length(frames: Iterable[object], warmup: int | float) -> int:
    """How many frames of a video are its warm-up.

    Args:
        frames: the video; needs a length for a share.
        warmup: number of frames (int, at least 0), or share of the video (float in (0, 1]):
            `max(floor(share * T), 1)`.

    Raises:
        InputError: out of range, or a share of a video of unknown length.
    """
    if isinstance(warmup, bool) or not isinstance(warmup, int | float):
        raise InputError(f"warmup is {warmup!r}; expected a number of frames or a share.")
    if isinstance(warmup, int):
        if warmup < 0:
            raise InputError(f"warmup is {warmup}; expected at least 0 frames.")
        return warmup
    if not 0 < warmup <= 1:
        raise InputError(
            f"warmup is {warmup}; a share of the video lies in (0, 1], a number of frames is an "
            "int."
        )
    if not isinstance(frames, Sized):
        raise InputError(
            f"warmup is the share {warmup} but the length of a {type(frames).__name__} is "
            "unknown; give the number of frames as an int, or a list of frames."
        )
    # The tiny term makes 0.1 of 50 frames 5, also where the product falls just under it.
    return max(int(len(frames) * warmup + 1e-9), 1)
