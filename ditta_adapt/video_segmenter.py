"""The video model: adapt to the first frames of a video, then stream the rest."""

from collections.abc import Iterable, Iterator, Sized
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from jaxtyping import Int64
from torch import Tensor

from ditta_adapt import persistence
from ditta_adapt.clock import Clock
from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frame_to_tensor, frames_to_tensors
from ditta_adapt.models.caller_state import own_gradient_mode, seeded
from ditta_adapt.models.parameters import device_of, weight_hash
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.report import AdaptationReport, report_of
from ditta_adapt.safety.drift_monitor import Watch, change_limit
from ditta_adapt.safety.guarded_training import learn
from ditta_adapt.safety.propagator_check import choose_by_propagator
from ditta_adapt.streaming.frame_prediction import FramePrediction
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.build import teach
from ditta_adapt.targets.builder import TargetBuilder, check_builder, check_targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.training.student import Student


def wrap(
    model: Any,
    *,
    propagator: Propagator | str = "flow",
    config: AdaptConfig | None = None,
    target_builder: TargetBuilder = teach,
) -> "VideoSegmenter":
    """Turn an image segmentation model into a video segmentation model.

    The model itself is never changed: adaptation works on a private copy of its decoder, and the
    frozen encoder is shared, not copied. Move the model to its device before wrapping it, and
    wrap it again after training it further.

    Args:
        model: a model of a known type, or any `Segmenter`.
        propagator: the teacher, or the registered name of one. Needed by `adapt`, and by streaming
            afterwards if it warps votes.
        config: hyper-parameters; the default preset if not given.
        target_builder: makes the labels that are learned; from the teacher if not given.

    Raises:
        UnknownModelError: the model's type has no adapter; the message shows the two ways on.
        SegmenterError: the segmenter cannot be copied or has nothing to adapt.

    Example:
        >>> video_model = wrap(my_model)                          # doctest: +SKIP
        >>> report = video_model.adapt(frames[:8])                # doctest: +SKIP
        >>> labels = [video_model(frame) for frame in frames[8:]] # doctest: +SKIP
    """
    return VideoSegmenter(
        find_segmenter(model),
        propagator=propagator,
        config=config or AdaptConfig(),
        target_builder=target_builder,
    )


class VideoSegmenter:
    """A streaming video segmenter around an image segmenter. Build one with `wrap`.

    Attributes:
        segmenter: the image model as given; read, never written.
        config: hyper-parameters of adaptation and fusion.
        target_builder: makes the labels that the next `adapt` learns.
        report: of the last `adapt`; none before it and after `reset`.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        *,
        propagator: Propagator | str,
        config: AdaptConfig,
        target_builder: TargetBuilder = teach,
    ) -> None:
        self.segmenter = segmenter
        self.config = config
        self.target_builder = check_builder(target_builder)
        self.report: AdaptationReport | None = None
        # A name is looked up when it is needed: the image model alone needs no teacher's library.
        known = isinstance(propagator, str)
        self._propagator = propagator if known else find_propagator(propagator)
        self._stream = self._pretrained()

    def adapt(
        self, frames: Iterable[Frame], *, progress: ProgressCallback = silent
    ) -> AdaptationReport:
        """Adapt to the first frames of a video.

        Starts from the pre-trained weights, whatever was adapted to before. The next streamed
        frame is taken to follow the last warm-up frame. If nothing can be learned (the vote of the
        frames changes no label; no pixel is reliable enough for a prompt; no object gets a class),
        or what would be learned is not safe (see `AdaptConfig.accept`), the weights stay
        pre-trained and the report says so. A mask tracker runs here, and only here; a teacher that
        carries maps also warps votes while streaming. With a single frame there is no pair to
        train an attention add-on on, so predictions go without it.

        Args:
            frames: the warm-up, in order: `(H, W, 3)` uint8 RGB of one size, at least one.
            progress: called after every step with a `Progress`.

        Returns:
            What was done, and how long each stage took.

        Raises:
            InputError: no frame, or a malformed one (`ShapeError`); targets that do not fit them.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the teacher raised or broke its contract.
            AdaptationError: a loss is not finite.
            ConfigError: a contrastive loss is asked for, and the targets name no objects.

        Whatever is raised, this video model and the user's model are as they were before.
        """
        tensors = frames_to_tensors(frames)
        propagator = find_propagator(self._propagator)
        clock = Clock()
        with own_gradient_mode(), seeded(self.config.seed, device_of(self.segmenter)):
            frozen = Student.pretrained(self.segmenter)
            with clock.stage("predict"):
                warm_up = WarmUp.from_frames(frozen.segmenter, tensors, self.config, progress)
            taught = self.target_builder is teach
            with (
                clock.stage("teach"),
                choose_by_propagator(self.config, propagator, warm_up, taught=taught) as decided,
            ):
                config, note = decided
                targets = self.target_builder(propagator, warm_up, config, progress)
                check_targets(targets, warm_up)
            with clock.stage("adapt"):
                learned = learn(self.segmenter, frozen, warm_up, targets, config, progress)
            watch = None
            if learned.adapted and learned.verdict is not None:
                limit = change_limit(learned.verdict.flicker)
                watch = Watch(limit, config.photometric_tolerance)
            stream = Stream(learned.student, frozen, self._teacher, config, watch)
            stream.begin_after(warm_up)
        report = report_of(
            self.segmenter, propagator, config, warm_up, targets, learned, clock.seconds, note
        )
        self._stream, self.report = stream, report
        return report

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream: `(H, W)` int64 on the model's device.

        One pass of the image model a frame, in constant memory: of frame t-1 are kept its image,
        and its features and logits or the votes so far. See `predict` for errors.
        """
        seen = self._stream.look(frame_to_tensor(frame))
        labels = self._stream.labels(seen)
        self._stream.last = seen
        return labels

    def predict(self, frame: Frame, *, fuse: bool = True) -> FramePrediction:
        """Predict the next frame of the stream, with probabilities and reliability.

        Args:
            frame: `(H, W, 3)` uint8 RGB, of the size of the frames before it.
            fuse: whether to fuse the add-on's prediction, or the votes of past frames; without,
                this is the decoder alone, and votes are counted anew from this frame on.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the teacher raised, or broke its contract, while it warped votes.

        The stream's memory is as before if anything is raised.
        """
        seen = self._stream.look(frame_to_tensor(frame), fuse=fuse)
        prediction = self._stream.prediction(seen if fuse else replace(seen, memory=None))
        self._stream.last = seen
        return prediction

    @property
    def fallback(self) -> str | None:
        """Why the last frame was predicted with pre-trained weights although others were adapted.

        None while the adapted weights are used, and where none were: see `report` for that.
        """
        last = self._stream.last
        return last.watch.alarm if last is not None and last.watch is not None else None

    def segment(
        self,
        frames: Iterable[Frame],
        *,
        warmup: int | float = 8,
        progress: ProgressCallback = silent,
    ) -> Iterator[Int64[Tensor, "H W"]]:
        """Label a whole video: adapt to its first frames, freeze, then label every frame.

        Args:
            frames: any iterable, also a generator or a camera. Beyond the warm-up one frame is
                held at a time. A video shorter than the warm-up is adapted to as a whole.
            warmup: number of frames (int), or share of the video (float in (0, 1], needs
                `len(frames)`): `max(floor(share * T), 1)`. With 0 nothing is adapted.
            progress: see `adapt`.

        Yields:
            `(H, W)` int64 labels, one per frame, from the very first frame on.

        Raises:
            InputError: a wrong `warmup`, or no frame at all; else see `adapt` and `predict`.
        """
        if not isinstance(frames, Iterable):
            raise InputError(f"frames is a {type(frames).__name__}; expected an iterable.")
        return self._segment(frames, _warmup_length(frames, warmup), progress)

    def _segment(
        self, frames: Iterable[Frame], warmup: int, progress: ProgressCallback
    ) -> Iterator[Int64[Tensor, "H W"]]:
        stream = iter(frames)
        # These are copies, since a camera may hand out one buffer again and again.
        first = [
            frame_to_tensor(frame, name=f"frame {t}").permute(1, 2, 0)
            for t, frame in enumerate(islice(stream, max(warmup, 1)))
        ]
        if not first:
            raise InputError("no frames: the iterable was empty.")
        if warmup:
            self.adapt(first, progress=progress)
        else:
            self.reset()
        self.clear_memory()
        while first:
            yield self(first.pop(0))
        for frame in stream:
            yield self(frame)

    def clear_memory(self) -> None:
        """Forget the previous frame, and keep what was adapted: for a cut, or a second clip."""
        self._stream.last = None

    def reset(self) -> None:
        """Next video: pre-trained weights, empty memory, no report."""
        self._stream, self.report = self._pretrained(), None

    def save_pretrained(self, path: str | Path) -> None:
        """Write the adapted modules to a folder: `model.safetensors` and `config.json`.

        The frozen encoder is not written. If nothing was adapted, these are the pre-trained
        weights.

        Raises:
            CheckpointError: the folder cannot be written. Files already there are replaced only
                when both new ones are complete.
        """
        persistence.save(
            path,
            self._stream.student,
            self._stream.watch,
            self.config,
            weight_hash(self.segmenter),
        )

    def load_pretrained(self, path: str | Path) -> "VideoSegmenter":
        """Take over what `save_pretrained` wrote, with its config; the memory is emptied.

        Returns:
            This video model.

        Raises:
            CheckpointError: a file is missing or corrupt, was written by another version of the
                format, or belongs to a different image model. This video model is as it was.
        """
        with own_gradient_mode():
            student, watch, config = persistence.load(path, self.segmenter)
            frozen = Student.pretrained(self.segmenter)
        self._stream = Stream(student, frozen, self._teacher, config, watch)
        self.config, self.report = config, None
        return self

    def _teacher(self) -> Propagator:
        return find_propagator(self._propagator)

    def _pretrained(self) -> Stream:
        with own_gradient_mode():
            frozen = Student.pretrained(self.segmenter)
        return Stream(frozen, frozen, self._teacher, self.config)


def _warmup_length(frames: Iterable[Frame], warmup: int | float) -> int:
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
