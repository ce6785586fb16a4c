"""The three verbs, for methods that train nothing and run a propagator along with the stream."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.baselines.image_prediction import ImagePrediction, predict_image
from ditta_adapt.io.frames import (
    Frame,
    check_stream_size,
    frame_size,
    frame_to_tensor,
    frames_to_tensors,
)
from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.models.private_copy import frozen_copy
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import Progress, ProgressCallback, check_progress, silent
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import find_propagator


@runtime_checkable
class Stream(Protocol):
    """One video on its way through a method."""

    def label(
        self, frame: UInt8[Tensor, "3 H W"], prediction: ImagePrediction
    ) -> Int64[Tensor, "H W"]:
        """Label the next frame, which is the stream's to keep, on the device of `prediction`."""
        ...

    def close(self) -> None:
        """End the propagator's sessions."""
        ...


class StreamedMethod(ABC):
    """A `Method` whose adapting is no more than running over the first frames of the video.

    The first frame of `adapt`, or without it the first one streamed after `reset`, is frame 0 of
    the video. The propagator sees every frame, in order, and never one that has not come yet;
    memory is constant. If it fails while streaming, its sessions cannot go on: they are closed,
    and the method is as after `reset`.

    Args:
        model: a model of a known type, or any `Segmenter`.
        propagator: what follows objects, or the registered name of one.

    Attributes:
        segmenter: the image model as given; read, never written.
    """

    def __init__(self, model: Any, propagator: Propagator | str) -> None:
        self.segmenter: Segmenter = find_segmenter(model)
        self._propagator = find_propagator(propagator)
        with own_gradient_mode():
            self._own = frozen_copy(self.segmenter)
        self._stream: Stream | None = None
        self._size: tuple[int, int] | None = None

    @abstractmethod
    def _new_stream(self) -> Stream:
        """A stream of a video of which nothing has been seen yet."""

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> None:
        """Run over the first frames of a video; nothing is trained. See `Method.adapt`.

        Args:
            frames: in order: `(H, W, 3)` uint8 RGB of one size, at least one.
            progress: called after every frame, as stage `"track"`.

        Raises:
            InputError: no frame, or a malformed one (`ShapeError`).
            SegmenterError: the image model's output breaks its contract.
            PropagationError: the propagator raised or broke its contract.

        Whatever is raised, the method is as it was before.
        """
        check_progress(progress)
        tensors = frames_to_tensors(frames)
        stream = self._new_stream()
        try:
            for t, tensor in enumerate(tensors):
                self._label(stream, tensor, self._predict(tensor))
                progress(Progress("track", t + 1, len(tensors)))
        except BaseException:
            stream.close()
            raise
        self.reset()
        self._stream, self._size = stream, frame_size(tensors[0])

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream: `(H, W)` int64 on the image model's device.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it. The stream
                goes on as if it had not come.
            SegmenterError: the image model's output breaks its contract.
            PropagationError: the propagator raised or broke its contract.
        """
        tensor = frame_to_tensor(frame)
        check_stream_size(tensor, self._size)
        prediction = self._predict(tensor)
        self._stream, self._size = self._stream or self._new_stream(), frame_size(tensor)
        try:
            return self._label(self._stream, tensor, prediction)
        except BaseException:
            self.reset()
            raise

    def reset(self) -> None:
        """Next video: nothing of this one is kept, and the propagator's sessions are closed."""
        stream, self._stream, self._size = self._stream, None, None
        if stream is not None:
            stream.close()

    def clear_memory(self) -> None:
        """Begin the video again: as `reset`, for nothing is trained that could be kept."""
        self.reset()

    def _predict(self, frame: UInt8[Tensor, "3 H W"]) -> ImagePrediction:
        with own_gradient_mode(), torch.no_grad():
            return predict_image(self._own, frame)

    def _label(
        self, stream: Stream, frame: UInt8[Tensor, "3 H W"], prediction: ImagePrediction
    ) -> Int64[Tensor, "H W"]:
        with own_gradient_mode(), torch.no_grad():
            return stream.label(frame, prediction)
