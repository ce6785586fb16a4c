"""One adaptation to a domain: round after round, with a judge after each, from where it stopped."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.config import DomainConfig, SecondLook
from ditta_adapt.datasets.labelled_video import LabelledVideo
from ditta_adapt.domain.checkpoint import Checkpoint
from ditta_adapt.domain.feature_distance import DistanceTerm
from ditta_adapt.domain.held_out import HeldOut, bounds
from ditta_adapt.domain.label_quality import LabelQuality
from ditta_adapt.domain.lesson import Learned, Lesson
from ditta_adapt.domain.looks import DomainLooks, look_at_videos
from ditta_adapt.domain.report import DomainReport, DomainRound, in_words
from ditta_adapt.domain.sampling import RareClasses, split_videos
from ditta_adapt.domain.source_clips import SourceClips
from ditta_adapt.domain.steps import StudentSteps
from ditta_adapt.domain.video_frames import frames_of, label_of
from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.io.frames import FrameLike, frame_to_tensor
from ditta_adapt.models.caller_state import random_state, set_random_state
from ditta_adapt.models.learnable import as_model, learnable
from ditta_adapt.models.parameters import adaptable_state, device_of
from ditta_adapt.models.private_copy import frozen_copy, private_copy
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.changes import check_finite
from ditta_adapt.training.student import Student

_KEPT = "kept."
CHECKPOINT_SECONDS = 60.0
"""What a killed adaptation loses at most, the clip that it was at besides."""


@dataclass
class _Course:
    """How far it has come.

    Attributes:
        rounds: that are done.
        bounds: lower ones of the gain, by round.
        best: the round whose weights are kept; none if nothing is.
        order: videos that this round has still to learn.
        clips: of this round.
        unread: of all rounds, which clips could not be read, and why.
        seconds: in all, of processes that were stopped.
    """

    rounds: list[DomainRound] = field(default_factory=list)
    bounds: list[float] = field(default_factory=list)
    best: int | None = None
    order: list[int] = field(default_factory=list)
    clips: list[Learned] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    seconds: float = 0.0


class DomainTraining:
    """Learns videos, and keeps the best round.

    Args:
        segmenter: the image model; stays as it is.
        videos: of the domain.
        propagator: warps votes, or follows objects.
        build_targets: labels a clip.
        source: labelled frames to learn from besides; none to learn without any.
        reference: whose features the encoder's stay near to, if the configuration asks for that;
            none for the image model.
        config: of all of it.
        checkpoint: where it is written how far it has come; none not to.
        progress: called after every clip.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        videos: Sequence[Sequence[FrameLike] | LabelledVideo],
        propagator: Propagator,
        build_targets: TargetBuilder,
        source: SourceClips | None,
        reference: Segmenter | None,
        config: DomainConfig,
        checkpoint: Checkpoint | None,
        progress: ProgressCallback,
    ) -> None:
        self._began = self._written = time.perf_counter()
        self._segmenter, self._videos, self._config = segmenter, videos, config
        self._checkpoint, self._progress = checkpoint, progress
        self._random = np.random.default_rng(config.seed)
        self._learned, self._held_out = split_videos(len(videos), config.held_out, self._random)
        self._judging: SourceClips | None = None
        self._source_held_out: list[int] = []
        if source is not None:
            places, self._source_held_out = split_videos(len(source), config.held_out, self._random)
            self._judging, source = source.only(self._source_held_out), source.only(places)
        self._classes = RareClasses(len(self._learned), segmenter.num_classes, config.rarity)
        self._quality = LabelQuality(segmenter.num_classes)
        trained = learnable(segmenter, config.encoder, detail=config.detail)
        self._trained = trained
        self._frozen = Student.pretrained(trained)
        student = Student.create(trained, replace(config.adapt, memory=None), num_frames=1)
        distance: DistanceTerm | None = None
        if config.distance is not None:
            distance = DistanceTerm(frozen_copy(reference or segmenter), config.distance)
        steps = StudentSteps(student, source, distance, config, self._random)
        self._lesson = Lesson(student, steps, propagator, build_targets, config, self._classes)
        self._course = _Course()
        self._kept: dict[str, Tensor] = {}

    def run(self) -> tuple[Segmenter, dict[str, Tensor], DomainReport]:
        """All rounds that are left; the adapted model, its learned weights, what was done."""
        config = self._config
        model, frames = frozen_copy(self._segmenter), config.judged_frames
        held_out, learned = (
            [frames_of(self._videos[index]) for index in each]
            for each in (self._held_out, self._learned)
        )
        looks = look_at_videos(model, held_out, learned, frames, config.adapt)
        by_labels: HeldOut | None = None
        if self._judging is not None:
            by_labels = HeldOut.by_labels(model, self._judging.spread(frames))
        self._restore()
        if by_labels is None and looks.trusted is None:
            # Nothing could be judged.
            self._lesson.nothing = looks.note
            return *self._adapted({}), self._report(looks)
        course = self._course
        while len(course.rounds) < config.rounds:
            if not course.order and not course.clips:
                course.order = self._classes.draw(len(self._learned), self._random)
            while course.order:
                self._learn(course.order.pop(0), looks.trusted)
            self._judge(looks.judge, by_labels)
        return *self._adapted(self._kept), self._report(looks)

    def _learn(self, index: int, look: SecondLook | None) -> None:
        video = self._videos[self._learned[index]]
        frames = frames_of(video)
        length = min(self._config.clip, len(frames))
        start = int(self._random.integers(len(frames) - length + 1))
        places = range(start, start + length)
        known = isinstance(video, LabelledVideo) and video.relabel is None
        truth = [label_of(video.labels, t) if known else None for t in places]  # type: ignore[union-attr]
        course, count = self._course, len(self._learned)
        try:
            clip = [frame_to_tensor(frames[t]).permute(1, 2, 0) for t in places]
        except ShapeError:
            raise
        except InputError as error:
            # What others teach is not lost for one file.
            course.unread.append(f"video {self._learned[index]}: {error}")
            self._classes.visit(index)
            course.clips.append(Learned(0.0, 0.0))
        else:
            course.clips.append(self._lesson.learn(index, clip, truth, self._quality, look))
        if time.perf_counter() - self._written >= CHECKPOINT_SECONDS:
            self._write()
        done = len(course.rounds) * count + len(course.clips)
        total = count * self._config.rounds
        self._progress(Progress("adapt", done, total, course.clips[-1].loss))

    def _judge(self, by_looks: HeldOut, by_labels: HeldOut | None) -> None:
        """End a round: how good it was, and whether it is kept.

        By looks the best round is, if it is surely better. Where true labels teach, the image
        model's looks fall behind what is learned: the last round is kept that is not surely worse
        on held-out labels.
        """
        course, teacher = self._course, self._lesson.teacher
        check_finite(teacher, self._frozen)
        # As it would be returned, in the precision of the image model.
        state = {n: each.detach().clone() for n, each in adaptable_state(teacher.segmenter).items()}
        adapted, _ = self._adapted(state)
        gains = by_looks.gains(adapted)
        of_source = [] if by_labels is None else by_labels.gains(adapted)
        own, targets = self._quality.miou()
        course.rounds.append(
            DomainRound(
                loss=float(np.mean([clip.loss for clip in course.clips])),
                changed=float(np.mean([clip.changed for clip in course.clips])),
                gains=tuple(float(np.mean(gain)) for gain in gains),
                source_gains=tuple(float(np.mean(gain)) for gain in of_source),
                teacher_miou=own,
                target_miou=targets,
            )
        )
        course.bounds.append(bounds(gains)[0])
        better = course.bounds[-1] > max([0.0, *course.bounds[:-1]])
        if (bounds(of_source)[1] >= 0 and self._lesson.steps) if of_source else better:
            course.best = len(course.rounds) - 1
            self._kept = state
        course.clips = []
        self._quality = LabelQuality(self._segmenter.num_classes)
        self._write()

    def _adapted(self, state: Mapping[str, Tensor]) -> tuple[Segmenter, dict[str, Tensor]]:
        """A copy of the image model with weights that were learned, and these in its precision."""
        adapted = private_copy(self._trained)
        with torch.no_grad():
            own = adaptable_state(adapted)
            for name, tensor in state.items():
                own[name].copy_(tensor)
            learned = {name: tensor.clone() for name, tensor in own.items()}
        return as_model(adapted), learned

    def _report(self, looks: DomainLooks) -> DomainReport:
        course = self._course
        best = int(np.argmax(course.bounds or [0.0])) if course.best is None else course.best
        if self._lesson.steps:
            kept, learned = course.best is not None, len(self._learned)
            reason = in_words(kept, course.rounds[best], best, learned)
            reason += f"; {looks.note}" if looks.note else ""
        else:
            reason = f"nothing was learned: {self._lesson.nothing}"
        return DomainReport(
            kept=course.best is not None,
            reason=reason,
            learned=tuple(self._learned),
            held_out=tuple(self._held_out),
            source_held_out=tuple(self._source_held_out),
            rounds=tuple(course.rounds),
            best=best,
            unread=tuple(course.unread),
            seconds=self._seconds(),
            config=self._config,
        )

    def _seconds(self) -> float:
        return self._course.seconds + time.perf_counter() - self._began

    def _write(self) -> None:
        if self._checkpoint is None:
            return
        values = asdict(self._course) | {
            "seconds": self._seconds(),
            "steps": self._lesson.steps,
            "nothing": self._lesson.nothing,
            "random": self._random.bit_generator.state,
        }
        tensors = self._lesson.state() | {
            "classes.counts": self._classes.counts,
            "classes.visited": self._classes.visited,
            "quality.own": self._quality.own.confusion,
            "quality.targets": self._quality.targets.confusion,
        }
        tensors |= {f"{_KEPT}{name}": tensor for name, tensor in self._kept.items()}
        tensors |= random_state(device_of(self._segmenter))
        self._checkpoint.write(tensors, values)
        self._written = time.perf_counter()

    def _restore(self) -> None:
        """Go on from the checkpoint, if there is one."""
        found = None if self._checkpoint is None else self._checkpoint.read()
        if found is None:
            return
        tensors, values = found
        self._course = _Course(
            rounds=[_round(each) for each in values["rounds"]],
            bounds=values["bounds"],
            best=values["best"],
            order=values["order"],
            clips=[Learned(**each) for each in values["clips"]],
            unread=values["unread"],
            seconds=values["seconds"],
        )
        self._lesson.load(tensors, values["steps"], values["nothing"])
        self._random.bit_generator.state = values["random"]
        self._classes.counts, self._classes.visited = (
            tensors["classes.counts"],
            tensors["classes.visited"],
        )
        self._quality.own.confusion = tensors["quality.own"]
        self._quality.targets.confusion = tensors["quality.targets"]
        device = device_of(self._segmenter)
        self._kept = {
            name.removeprefix(_KEPT): tensor.to(device)
            for name, tensor in tensors.items()
            if name.startswith(_KEPT)
        }
        set_random_state(tensors, device)


def _round(values: dict[str, Any]) -> DomainRound:
    """A round as JSON has it, whose tuples are lists."""
    lists = {name: tuple(values[name]) for name in ("gains", "source_gains")}
    return DomainRound(**values | lists)
