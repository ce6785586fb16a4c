"""Source-free adaptation to many videos of one domain: self-training with a slow teacher."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.config import AdaptConfig, DomainConfig
from ditta_adapt.domain.held_out import HeldOut, lower_bound
from ditta_adapt.domain.lesson import Lesson
from ditta_adapt.domain.report import DomainReport, DomainRound
from ditta_adapt.domain.sampling import RareClasses, split_videos
from ditta_adapt.errors import ConfigError, InputError
from ditta_adapt.io.frames import FrameLike
from ditta_adapt.keeping.domain_weights import save_domain
from ditta_adapt.models.caller_state import own_gradient_mode, seeded, without_autocast
from ditta_adapt.models.parameters import adaptable_state, device_of
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import Progress, ProgressCallback, check_progress, silent
from ditta_adapt.teachers.propagator import Propagator, TakesFeatures
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.training.changes import check_finite
from ditta_adapt.training.student import Student

Video = Sequence[FrameLike]


@dataclass(frozen=True)
class DomainResult:
    """A model that knows a domain.

    Attributes:
        segmenter: a copy of the image model with what was learned; without it, where that was
            refused. `wrap` takes it.
        source: the image model as it was given.
        report: what was done.
    """

    segmenter: Segmenter
    source: Segmenter
    report: DomainReport

    def save_pretrained(self, path: str | Path) -> None:
        """Write what was learned to a folder, which `VideoSegmenter.load_pretrained` reads.

        Raises:
            CheckpointError: the folder cannot be written.
        """
        save_domain(path, self.segmenter, self.source, self.report.to_dict())


def adapt_to_domain(
    model: Any,
    videos: Sequence[Video],
    *,
    propagator: Propagator | str = "flow",
    config: DomainConfig | None = None,
    progress: ProgressCallback = silent,
) -> DomainResult:
    """Learn what many unlabelled videos have in common; each can be adapted to from there.

    A teacher labels clips by votes of neighbouring frames along the propagator's warps. A student
    learns them, balanced over classes, and the teacher follows it slowly. Videos of rare classes
    come more often. After every round the teacher is compared with the image model on videos that
    are held out, by second looks. These do not teach: what judges must not be what is learned, or
    the two only come to agree. The best round is kept if it is better by more than two
    standard errors; else nothing is.

    Args:
        model: a model of a known type, or any `Segmenter`; stays as it is.
        videos: sequences of frames, such as lists, or those of a `LabelledVideo`; frames are read
            when they are needed. Videos shorter than a clip are learned as a whole.
        propagator: warps votes, or follows objects; or the registered name of one.
        config: of all of it.
        progress: called after every clip.

    Raises:
        InputError: fewer than two videos, one without frames, or a malformed frame (`ShapeError`).
        ConfigError: the configuration asks for no targets, or for no second looks.
        SegmenterError: the model's output breaks its contract.
        PropagationError: the propagator raised or broke its contract.
        AdaptationError: a loss is not finite, or no gradient reaches what is trained.

    Source: mean teachers (Tarvainen and Valpola, NeurIPS 2017) and self-training for segmentation
    (Hoyer et al., DAFormer, CVPR 2022), without source data.
    """
    config = config or DomainConfig()
    check_progress(progress)
    _check(config, videos)
    segmenter, teaches = find_segmenter(model), find_propagator(propagator)
    if isinstance(teaches, TakesFeatures):
        teaches.bind(segmenter)
    device = device_of(segmenter)
    with own_gradient_mode(), seeded(config.seed, device), without_autocast(device):
        return _Run(segmenter, videos, teaches, config, progress).result()


class _Run:
    """One adaptation to a domain."""

    def __init__(
        self,
        segmenter: Segmenter,
        videos: Sequence[Video],
        propagator: Propagator,
        config: DomainConfig,
        progress: ProgressCallback,
    ) -> None:
        self._started = time.perf_counter()
        self._source, self._videos, self._config = segmenter, videos, config
        self._progress, self._propagator = progress, propagator
        self._random = np.random.default_rng(config.seed)
        self._learned, self._held_out = split_videos(len(videos), config.held_out, self._random)
        self._classes = RareClasses(len(self._learned), segmenter.num_classes, config.rarity)

    def result(self) -> DomainResult:
        config, frozen = self._config, Student.pretrained(self._source)
        assert config.adapt.look is not None
        judged = [self._videos[index] for index in self._held_out]
        held_out = HeldOut(frozen.segmenter, judged, config.judged_frames, config.adapt.look)
        student = Student.create(self._source, replace(config.adapt, memory=None), num_frames=1)
        lesson = Lesson(student, self._propagator, config, self._classes)
        rounds: list[DomainRound] = []
        bounds: list[float] = []
        kept: dict[str, Tensor] = {}
        for _ in range(config.rounds):
            loss, changed = self._round(lesson, len(rounds))
            check_finite(lesson.teacher, frozen)
            gains = held_out.gains(lesson.teacher.segmenter)
            rounds.append(DomainRound(loss, changed, tuple(float(np.mean(g)) for g in gains)))
            bounds.append(lower_bound(gains))
            if bounds[-1] > max([0.0, *bounds[:-1]]):
                state = adaptable_state(lesson.teacher.segmenter)
                kept = {name: tensor.detach().clone() for name, tensor in state.items()}
        best = int(np.argmax(bounds))
        adapted = private_copy(self._source)
        with torch.no_grad():
            own = adaptable_state(adapted)
            for name, tensor in kept.items():
                own[name].copy_(tensor)
        gain = float(np.mean(rounds[best].gains))
        reason = _reason(bool(kept), gain, best, len(self._learned), len(self._held_out))
        if not lesson.steps:
            reason = f"nothing was learned: {lesson.nothing}"
        report = DomainReport(
            kept=bool(kept),
            reason=reason,
            learned=tuple(self._learned),
            held_out=tuple(self._held_out),
            rounds=tuple(rounds),
            best=best,
            seconds=time.perf_counter() - self._started,
            config=config,
        )
        return DomainResult(adapted, self._source, report)

    def _round(self, lesson: Lesson, number: int) -> tuple[float, float]:
        """As many clips as there are videos; mean loss, and share of labels that changed."""
        count = len(self._learned)
        found = []
        for done, index in enumerate(self._classes.draw(count, self._random), start=1):
            video = self._videos[self._learned[index]]
            length = min(self._config.clip, len(video))
            start = int(self._random.integers(len(video) - length + 1))
            clip = [video[t] for t in range(start, start + length)]
            found.append(lesson.learn(index, clip))
            total = count * self._config.rounds
            self._progress(Progress("adapt", number * count + done, total, found[-1][0]))
        losses, changed = zip(*found, strict=True)
        return float(np.mean(losses)), float(np.mean(changed))


def _reason(kept: bool, gain: float, best: int, learned: int, held_out: int) -> str:
    videos = f"{learned} videos; on {held_out} held out it agrees with second looks {gain:+.3f}"
    if kept:
        return f"adapted to {videos} more than the image model, after round {best + 1}"
    return f"nothing was kept of {videos}, which is no more than its error, or worse"


def _check(config: DomainConfig, videos: Sequence[Video]) -> None:
    for index, video in enumerate(videos):
        if not len(video):
            raise InputError(f"video {index} has no frame.")
    adapt: AdaptConfig = config.adapt
    if adapt.targets is None or adapt.look is None or adapt.training.contrast is not None:
        raise ConfigError(
            "adapt has no targets, no look, or a contrastive loss; a domain is learned from "
            "targets, judged by looks, and has no objects to contrast."
        )
