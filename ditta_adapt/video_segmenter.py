"""The video model: adapt to the first frames of a video, then stream the rest."""

import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from ditta_adapt.adaptation import Adaptation, adapt_to_frames
from ditta_adapt.config import AdaptConfig, CacheBudget
from ditta_adapt.errors import PropagationError
from ditta_adapt.io.frame_format import RGB, FrameFormat
from ditta_adapt.io.frames import FrameLike, frame_to_tensor, frames_to_tensors
from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.models.hooked import HookedSegmenter
from ditta_adapt.models.parameters import check_device
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.report import AdaptationReport
from ditta_adapt.safety.judge import Speaker
from ditta_adapt.streaming.exclusive import Exclusive
from ditta_adapt.streaming.prediction import (
    Evidence,
    FramePrediction,
    predict_frame,
    predict_labels,
)
from ditta_adapt.streaming.state import StreamState
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder, check_builder
from ditta_adapt.teachers.propagator import Propagator, TakesFeatures
from ditta_adapt.teachers.registry import check_propagator, find_propagator
from ditta_adapt.training.student import Student
from ditta_adapt.whole_video import WholeVideo

T = TypeVar("T")


class VideoSegmenter(WholeVideo):
    """A streaming video segmenter around an image segmenter. Build one with `wrap`.

    One object follows one stream. Two streams, and two threads, take one each, which costs hardly
    any memory: `wrap` the same model again. A call while another one is at work is refused.

    A frame is an RGB image `(H, W, 3)` uint8, as an array or a tensor, the path of an image file or
    an image of Pillow; see `wrap` for other colour orders and ranges.

    Attributes:
        segmenter: the image model as given; read, never written.
        config: hyper-parameters of adaptation and fusion.
        target_builder: makes the labels that the next `adapt` learns.
        cache: memory that the next `adapt` may use.
        report: of the last `adapt`; none before it and after `reset`.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        propagator: Propagator | str,
        config: AdaptConfig,
        target_builder: TargetBuilder = build_targets,
        cache: CacheBudget | None = None,
        layout: FrameFormat = RGB,
        compile: bool = False,
    ) -> None:
        # The first, so that pickling says why it cannot be done before it is tried.
        self._alone = Exclusive()
        self.segmenter, self.config = segmenter, config
        self._layout, self._compile = layout, compile
        self.target_builder = check_builder(target_builder, config)
        self.cache = cache or CacheBudget()
        self.report: AdaptationReport | None = None
        self._propagator = check_propagator(propagator)
        self._stream = self._pretrained(segmenter)

    @property
    def propagator(self) -> Propagator:
        """The propagator. One that was given by its name is built at the first need, and kept.

        Raises:
            MissingDependencyError: its library is not installed.
        """
        if isinstance(self._propagator, str):
            self._propagator = find_propagator(self._propagator)
        if isinstance(self._propagator, TakesFeatures):
            self._propagator.bind(self.segmenter)
        return self._propagator

    def adapt(
        self, frames: Iterable[FrameLike], *, progress: ProgressCallback = silent
    ) -> AdaptationReport:
        """Adapt to the first frames of a video.

        Starts from the pre-trained weights, whatever was adapted to before. The next streamed
        frame is taken to follow the last warm-up frame. If nothing can be learned (the vote of the
        frames changes no label; no pixel is reliable enough for a prompt; no object gets a class)
        the weights stay pre-trained, and the report says so; what was learned is used as far as it
        is judged better (see `speaker`). A mask tracker runs here, and only here; a propagator that
        warps maps also warps votes while streaming. With a single frame there is no pair to train
        an attention add-on on, so predictions go without it.

        Args:
            frames: the warm-up, in order: images of one size, at least one.
            progress: called after every step with a `Progress`.

        Returns:
            What was done.

        Raises:
            InputError: no frame, or a malformed one (`ShapeError`); targets that do not fit them.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the propagator raised or broke its contract.
            AdaptationError: a loss is not finite, or no gradient reaches what is trained.
            ConfigError: a contrastive loss is asked for, and the targets name no objects.

        Whatever is raised, this video model and the user's model are as they were before.
        """
        return self._adapt(frames_to_tensors(frames, layout=self._layout), progress).report

    def _adapt(
        self, frames: Sequence[UInt8[Tensor, "3 H W"]], progress: ProgressCallback
    ) -> Adaptation:
        with self._alone:
            own, builder, cache = self.segmenter, self.target_builder, self.cache
            known = (own, frames, self.propagator, self.config, builder, cache, progress)
            done = adapt_to_frames(*known, compile=self._compile)
            self.report = done.report
            self._set_stream(done.stream)
        return done

    def __call__(self, frame: FrameLike) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream: `(H, W)` int64 on the model's device, see `predict`.

        One pass of the image model a frame, second looks aside, in constant memory.
        """
        return self.answer(frame, predict_labels)

    def predict(self, frame: FrameLike, *, fuse: bool = True) -> FramePrediction:
        """Predict the next frame of the stream, with probabilities and reliability.

        Args:
            frame: of the size of the frames before it.
            fuse: whether the past counts; without, the decoder of whoever speaks is asked alone.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the propagator raised, or broke its contract, while it warped votes.

        The stream's memory is as before if anything is raised.
        """
        return self.answer(frame, predict_frame, fuse=fuse)

    def answer(self, frame: FrameLike, answer: Callable[[Evidence], T], *, fuse: bool = True) -> T:
        """Whatever is made of all that speaks for the classes of the next frame, an `Evidence`.

        `predict` is `answer(frame, predict_frame)`, and says what is raised. An exception of
        `answer` itself is passed on, and the stream's memory is as before.
        """
        tensor = frame_to_tensor(frame, layout=self._layout)
        with self._alone:
            return self._stream.step(tensor, answer, fuse=fuse)

    @property
    def speaker(self) -> Speaker:
        """Whose labels are given out: `"adapted"`, `"memory"` or `"image model"`; see `Judge`.

        The next frame gets these, unless it shows another scene, or a second look at it changes
        the judge's mind.
        """
        return self._stream.speaker

    @property
    def memory_decay(self) -> float | None:
        """How much past votes weigh one frame further on, in [0, 1]; none if none are remembered.

        That of `WarpedVotes`, or less where the memory was found to be too long, see
        `MemoryLength`.
        """
        length = self._stream.length if self.state is None else self.state.remembering
        return None if length is None else length.decay

    @property
    def fallback(self) -> str | None:
        """Why pre-trained weights predict although others were adapted, such as after a cut."""
        monitor = None if self.state is None else self.state.watched
        return monitor.alarm if self._stream.adapted and monitor is not None else None

    @property
    def state(self) -> StreamState | None:
        """What is kept of the frames seen so far; its `log` tells how the last one was labelled."""
        return self._stream.state

    def clear_memory(self) -> None:
        """Forget the previous frame, and keep what was adapted: for a cut, or a second clip."""
        with self._alone:
            self._stream.clear()

    def reset(self) -> None:
        """Next video: pre-trained weights, empty memory, no report."""
        with self._alone:
            self.report = None
            self._set_stream(self._pretrained(self.segmenter))

    @classmethod
    def from_pretrained(
        cls, model: Any, path: str | Path, *, propagator: Propagator | str = "flow"
    ) -> "VideoSegmenter":
        """An image model, as `wrap` takes it, with what was adapted of it before."""
        own = cls(find_segmenter(model), propagator=propagator, config=AdaptConfig())
        return own.load_pretrained(path)

    def to(self, device: torch.device | str) -> "VideoSegmenter":
        """This video model; `InputError` if the caller's image model is on another device."""
        check_device(self.segmenter, device)
        return self

    def __repr__(self) -> str:
        model, teacher = (
            repr(part) if isinstance(part, str | HookedSegmenter) else type(part).__name__
            for part in (self.segmenter, self._propagator)
        )
        classes = f"{self.segmenter.num_classes} classes"
        return f"VideoSegmenter({model}, {classes}, propagator {teacher}, {self._stream})"

    def _set_stream(self, stream: Stream) -> None:
        before, self._stream = self._stream, stream
        try:
            before.close()
        except PropagationError as error:
            warnings.warn(f"the stream before could not be closed: {error}", stacklevel=3)

    def _pretrained(self, segmenter: Segmenter) -> Stream:
        """The image model frame by frame: nothing is remembered before a video is adapted to."""
        with own_gradient_mode():
            frozen = Student.pretrained(segmenter)
        return Stream(frozen, frozen, self.config, compile=self._compile)
