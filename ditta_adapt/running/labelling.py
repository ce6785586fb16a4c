"""The frames of one run, until they have their labels and all that is written of them."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.errors import InputError
from ditta_adapt.io.encoding import VideoWriter
from ditta_adapt.io.files import write_files
from ditta_adapt.io.sound import SoundTrack
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.reliability import reliability
from ditta_adapt.report import library_versions
from ditta_adapt.running.beside import Beside
from ditta_adapt.running.classes import Classes
from ditta_adapt.running.pictures import frame_picture, label_picture
from ditta_adapt.running.request import Request
from ditta_adapt.running.sampling import Sampling
from ditta_adapt.running.scribe import Comparison, Labelled, Scribe
from ditta_adapt.running.source import Source, TimedFrames
from ditta_adapt.running.stopping import Stop
from ditta_adapt.running.tally import Tally
from ditta_adapt.running.teacher_view import teacher_shown
from ditta_adapt.running.telling import Told
from ditta_adapt.running.work_folder import WorkFolder
from ditta_adapt.streaming.prediction import Evidence, labels_at, predict_labels
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.video_segmenter import VideoSegmenter

SECONDS_BETWEEN_CHECKPOINTS = 60.0

Tick = Callable[[int, int | None], None]
"""Called after every frame with how many are labelled, and of how many if that is known."""

Answer = tuple[np.ndarray, np.ndarray | None]
"""Labels of a frame; and those of the image model alone, where two of these are compared."""


def no_tick(done: int, total: int | None) -> None:
    """A callback that does nothing."""


class Stopped(Exception):
    """The run was asked to stop."""


class Labelling:
    """The frames of one run, until they have their labels.

    Args:
        source, video_model, request: see `run_video`.
        work: the folder, begun.
        classes: of the model.
        count: of the frames; none if nobody knows.
        warmup: frames to adapt to.
        stop, progress, tick: see `run_video`.

    Attributes:
        saved: frames that a run which is stopped now need not label again.
    """

    def __init__(
        self,
        source: Source,
        video_model: VideoSegmenter,
        request: Request,
        work: WorkFolder,
        classes: Classes,
        count: int | None,
        warmup: int,
        stop: Stop,
        progress: ProgressCallback,
        tick: Tick,
    ) -> None:
        self.source, self.video_model, self.request = source, video_model, request
        self.work, self.classes, self.count, self.warmup = work, classes, count, warmup
        self.stop, self.progress, self.tick = stop, progress, tick
        self.tally = Tally(len(classes.names))
        self.sampling = Sampling.expecting(count)
        self.adaptation: dict[str, Any] | None = None
        self.seconds: dict[str, float] = {}
        self.size = (0, 0)
        self.saved = 0
        self._sound: SoundTrack | None = None

    def label(self, checkpoint: Path | None) -> bool:
        """Label all frames, from a checkpoint on if there is one; false if it was stopped."""
        if checkpoint is not None:
            self.video_model.load_pretrained(checkpoint / "model")
            self.tally = Tally.load(checkpoint / "tally.npz")
            self.saved = len(self.tally)
            self.adaptation = json.loads((checkpoint / "adaptation.json").read_text("utf-8"))
        frames = self.request.excerpt.of(self.source.read())
        first = next(frames, None)
        if first is None:
            raise InputError(f"{self.source.name} has no frame that is to be labelled.")
        self.size = (first[1].shape[0], first[1].shape[1])
        rate = self.source.rate / self.request.excerpt.stride
        if self.source.sound is not None:
            self._sound = SoundTrack(self.source.sound, first[0])
        writer = VideoWriter(
            self.work.path / "overlay.mp4", fps=rate, timed=True, sound=self._sound
        )
        try:
            with ExitStack() as stack:
                overlays = stack.enter_context(writer)
                flow = find_propagator("flow")
                scribe = Scribe(self.work, self.classes, self.tally, overlays, flow)
                beside = stack.enter_context(Beside(scribe.write))
                self._label(chain([first], frames), beside)
                beside.drain()
        except Stopped:
            return False
        return True

    def _label(self, frames: TimedFrames, beside: Beside[Labelled]) -> None:
        done, saved = len(self.tally), time.monotonic()
        for item in self._labelled(frames, done):
            beside.put(item)
            if item.labels is None:
                continue
            self.tick(item.index + 1, self.count)
            asked, following = self.stop.asked, item.index + 1
            if asked and self.source.live:
                return
            due = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS
            if (asked or due) and following >= self.warmup and self._can_go_on:
                beside.drain()
                self.work.save_checkpoint(following, self._save)
                self.saved, saved = following, time.monotonic()
            if asked:
                raise Stopped

    @property
    def _can_go_on(self) -> bool:
        """Whether all that counts after the warm-up can be kept."""
        return self.video_model.config.propagator_training is None

    def _save(self, folder: Path) -> None:
        self.video_model.save_pretrained(folder / "model", state=True)
        self.tally.save(folder / "tally.npz")
        write_files({folder / "adaptation.json": json.dumps(self.adaptation)})

    def _labelled(self, frames: TimedFrames, done: int) -> Iterator[Labelled]:
        """Every frame with its labels; the first ones, which were written before, without."""
        for index in range(done):
            found = next(frames, None)
            if found is None:
                raise InputError(
                    f"{self.source.name} has only {index} frames left; it was changed while it was "
                    "labelled. Start anew in another folder."
                )
            self.sampling = self.sampling.after(index)
            yield Labelled(index, *found)
        answers = self._answers(frames, done)
        for index, (seconds, frame, (labels, plain)) in enumerate(answers, start=done):
            comparison = None
            if self._looks_closely(index):
                assert plain is not None
                comparison = Comparison(plain, self.tally.plain, self._reliability())
            self.sampling, self.tally.plain = self.sampling.after(index), plain
            state = self.video_model.state
            assert state is not None
            yield Labelled(index, seconds, frame, labels, state.log, comparison)

    def _looks_closely(self, index: int) -> bool:
        return self.request.page and self.sampling.takes(index)

    def _answers(
        self, frames: TimedFrames, done: int
    ) -> Iterator[tuple[Fraction, np.ndarray, Answer]]:
        """Time, frame and answer of what was not labelled yet."""
        numbers = count(done)

        def answer(evidence: Evidence) -> Answer:
            index, plain = next(numbers), None
            # Of two neighbours, to see what changed between them.
            if self._looks_closely(index) or self._looks_closely(index + 1):
                assert evidence.image_model is not None
                plain = labels_at(evidence.image_model(), evidence.size).cpu().numpy()
            return predict_labels(evidence).cpu().numpy(), plain

        if done:
            for seconds, frame in frames:
                yield seconds, frame, self.video_model.answer(frame, answer)
            return
        waiting: deque[tuple[Fraction, np.ndarray]] = deque()

        def shown() -> Iterator[np.ndarray]:
            for seconds, frame in frames:
                waiting.append((seconds, frame))
                yield frame

        started = time.perf_counter()
        with teacher_shown(self.video_model, self._keep_taught):
            answers = self.video_model.answers(
                shown(), answer, warmup=self.warmup, progress=self._progress
            )
            for answered in answers:
                if self.adaptation is None and self.video_model.report is not None:
                    self.adaptation = self.video_model.report.to_dict()
                    self.seconds["adapt"] = time.perf_counter() - started
                seconds, frame = waiting.popleft()
                yield seconds, frame, answered

    def _progress(self, progress: Progress) -> None:
        if self.stop.asked:
            raise Stopped
        self.progress(progress)

    def _keep_taught(self, index: int, frame: np.ndarray, labels: np.ndarray) -> None:
        picture = label_picture(labels, self.classes.palette, (frame.shape[0], frame.shape[1]))
        files = {
            self.work.picture(index, "warmup"): frame_picture(frame),
            self.work.picture(index, "taught"): picture,
        }
        write_files(files)

    def _reliability(self) -> float | None:
        """Mean reliability of what is remembered."""
        state = self.video_model.state
        if state is None or state.votes is None:
            return None
        certainty = reliability(state.votes.clamp(min=1e-12).log()[None], normalizer="classes")
        return float(certainty.mean())

    def told(self, settings: dict[str, str], seconds: dict[str, float]) -> Told:
        """What reports are made of, once all frames have their labels."""
        notes = list(self.source.notes)
        if self._sound is not None and self._sound.problem:
            notes.append(self._sound.problem)
        if not self.classes.named:
            notes.append("the model does not name its classes, so they are numbered")
        return Told(
            name=self.source.name,
            size=self.size,
            warmup=0 if self.adaptation is None else int(self.adaptation["num_frames"]),
            tally=self.tally,
            classes=self.classes,
            sampling=self.sampling,
            adaptation=self.adaptation,
            notes=notes,
            seconds=seconds,
            settings=settings,
            versions=library_versions(),
        )
