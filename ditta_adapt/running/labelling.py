"""The frames of one run, until they have their labels and all that is written of them."""

import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.baselines import ImageModel
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
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.video_segmenter import VideoSegmenter

SECONDS_BETWEEN_CHECKPOINTS = 60.0

Tick = Callable[[int, int | None], None]
"""Called after every frame with how many are labelled, and of how many if that is known."""


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
        self._image_model = ImageModel(video_model.segmenter)
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
            # Before the end of the warm-up there is nothing that could be gone on with.
            if (asked or due) and following >= self.warmup:
                beside.drain()
                self.work.save_checkpoint(following, self._save)
                self.saved, saved = following, time.monotonic()
            if asked:
                raise Stopped

    def _save(self, folder: Path) -> None:
        self.video_model.save_pretrained(folder / "model", state=True)
        self.tally.save(folder / "tally.npz")
        write_files({folder / "adaptation.json": json.dumps(self.adaptation)})

    def _labelled(self, frames: TimedFrames, done: int) -> Iterator[Labelled]:
        """Every frame with its labels; the first ones, which were written before, without."""
        last: np.ndarray | None = None
        for index in range(done):
            found = next(frames, None)
            if found is None:
                raise InputError(
                    f"{self.source.name} has only {index} frames left; it was changed while it was "
                    "labelled. Start anew in another folder."
                )
            seconds, last = found
            self.sampling = self.sampling.after(index)
            yield Labelled(index, seconds, last)
        plain_before: tuple[int, np.ndarray] | None = None
        for index, (seconds, frame, labels) in enumerate(self._answers(frames, done), start=done):
            comparison = None
            if self.request.page and self.sampling.takes(index):
                earlier = None
                if plain_before is not None and plain_before[0] == index - 1:
                    earlier = plain_before[1]
                elif last is not None:
                    earlier = self._plain(last)
                plain = self._plain(frame)
                plain_before = index, plain
                comparison = Comparison(plain, earlier, self._reliability())
            self.sampling, last = self.sampling.after(index), frame
            state = self.video_model.state
            assert state is not None
            yield Labelled(index, seconds, frame, labels, state.log, comparison)

    def _answers(
        self, frames: TimedFrames, done: int
    ) -> Iterator[tuple[Fraction, np.ndarray, np.ndarray]]:
        """Time, frame and labels of what was not labelled yet."""
        if done:
            for seconds, frame in frames:
                yield seconds, frame, self.video_model(frame).cpu().numpy()
            return
        waiting: deque[tuple[Fraction, np.ndarray]] = deque()

        def shown() -> Iterator[np.ndarray]:
            for seconds, frame in frames:
                waiting.append((seconds, frame))
                yield frame

        started = time.perf_counter()
        with teacher_shown(self.video_model, self._keep_taught):
            answers = self.video_model.segment(shown(), warmup=self.warmup, progress=self._progress)
            for labels in answers:
                if self.adaptation is None and self.video_model.report is not None:
                    self.adaptation = self.video_model.report.to_dict()
                    self.seconds["adapt"] = time.perf_counter() - started
                seconds, frame = waiting.popleft()
                yield seconds, frame, labels.cpu().numpy()

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

    def _plain(self, frame: np.ndarray) -> np.ndarray:
        return self._image_model(frame).cpu().numpy()

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
