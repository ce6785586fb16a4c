"""What every way to label a video can do."""

from collections.abc import Iterable
from typing import Protocol, runtime_checkable

from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.progress import ProgressCallback, silent


@runtime_checkable
class Method(Protocol):
    """A way to label a video: adapt to its first frames, label the rest, go on to the next video.

    `ditta_adapt.VideoSegmenter` is one. For all of them: the user's models are never changed,
    whatever is raised; a run repeats bit for bit on a CPU and leaves the caller's random state
    alone; and it does not matter whether the caller has gradients switched off.
    """

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> object:
        """Adapt to the first frames of a video, from pre-trained weights whatever came before.

        The next streamed frame is taken to follow the last of these.

        Args:
            frames: in order: `(H, W, 3)` uint8 RGB of one size, at least one.
            progress: called after every step with a `Progress`.

        Raises:
            InputError: no frame, or a malformed one (`ShapeError`).
            SegmenterError: an image model's output breaks its contract, such as NaN in the logits.
            AdaptationError: a loss is not finite.

        Whatever is raised, the method is as it was before.
        """
        ...

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream: `(H, W)` int64; weights stay as they are.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it.
            SegmenterError: an image model's output breaks its contract.
        """
        ...

    def clear_memory(self) -> None:
        """Forget the frames seen, and keep what was adapted: the video starts over."""
        ...

    def reset(self) -> None:
        """Next video: pre-trained weights, empty memory."""
        ...


@runtime_checkable
class Positioned(Protocol):
    """Optional for a `Method`: it needs to know where in the video a frame is."""

    def go_to(self, t: int) -> None:
        """The next frame is frame `t` of the video, counted from 0; frames may be left out."""
        ...
