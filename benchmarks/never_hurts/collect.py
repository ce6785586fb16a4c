"""One case, run once: everything a judge might want to know, and the truth, kept in a file."""

import json
import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.davis import data_root, davis_voc
from benchmarks.never_hurts.cases import Case
from benchmarks.never_hurts.networks import build
from ditta_adapt import AdaptConfig, CacheBudget, Checks, SecondLook, Segmenter
from ditta_adapt.adaptation import Adaptation, adapt_to_frames
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.metrics import VideoConsistency
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.second_look import Look, second_look
from ditta_adapt.progress import silent
from ditta_adapt.safety.disagreement import labels_of
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.streaming.beginning import begin_after
from ditta_adapt.streaming.carried import Carried, Said
from ditta_adapt.streaming.decodings import Decodings
from ditta_adapt.streaming.hearing import Hearing
from ditta_adapt.streaming.known import Known
from ditta_adapt.streaming.looking import look_again
from ditta_adapt.streaming.prediction import Evidence, predict_labels
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.build import build_targets
from ditta_adapt.teachers.checked_calls import open_warper
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.student import Student

CANDIDATES = ("image model", "memory", "adapted")


def open_video(case: Case) -> tuple[LabelledVideo, int]:
    """The frames of a case, spoiled as it says, and how many are its warm-up."""
    if case.video.startswith("scene-"):
        frames, labels = render_video(int(case.video.removeprefix("scene-")), 60 * case.stride)
        whole = LabelledVideo(case.video, list(frames), list(labels))
    else:
        videos = davis_voc(data_root(), manifest=case.manifest)
        whole = videos[videos.names.index(case.video)]
    images, truth = whole.frames[:: case.stride], whole.labels[:: case.stride]
    warmup = max(len(images) * round(100 * case.warmup) // 100, 1)
    images, truth = list(images[: warmup + case.frames]), list(truth[: warmup + case.frames])
    if case.corruption:
        images = list(parse_corruption(case.corruption).apply(images))
    return LabelledVideo(case.video, images, truth, whole.relabel), warmup


class Looks:
    """The same second look for everybody who asks for one, taken scale by scale."""

    def __init__(self) -> None:
        self.at: dict[int, dict[str, np.ndarray]] = {}
        self.before: dict[str, np.ndarray] = {}
        self._last: tuple[int, Look] | None = None
        self.frame, self.speaker = 0, ""

    def again(
        self,
        frame: Tensor,
        options: SecondLook,
        frozen: Student,
        decodings: Decodings,
        said: Said | None,
        carried: Carried | None,
    ) -> tuple[Look, Hearing | None]:
        """See `look_again`; keeps what a candidate would have said without the look."""
        if said is not None and self.speaker in said:
            self.before[self.speaker] = said[self.speaker].numpy().astype(np.uint8)
        return look_again(frame, options, frozen, decodings, said, carried)

    def __call__(
        self,
        segmenter: Segmenter,
        frame: Tensor,
        usual: Tensor,
        scales: Sequence[float],
    ) -> Look:
        """See `second_look`."""
        if self._last is not None and self._last[0] == self.frame:
            return self._last[1]
        plain = usual.softmax(dim=1)
        beside, passes = torch.zeros_like(plain), 0.0
        kept = {"1": labels_of(usual).numpy().astype(np.uint8)}
        for scale in scales:
            look = second_look(segmenter, frame, usual, (scale,))
            assert look.logits is not None
            seen = (2 * look.logits.exp() - plain).clamp(min=0)
            kept[str(scale)] = labels_of(seen).numpy().astype(np.uint8)
            beside, passes = beside + seen, passes + look.passes
        mean = ((plain + beside) / (1 + len(scales))).clamp(min=1e-30).log()
        labels = beside[0].argmax(dim=0)
        kept["all"] = labels_of(mean).numpy().astype(np.uint8)
        kept["others"] = labels.numpy().astype(np.uint8)
        self.at[self.frame] = kept
        self._last = (self.frame, Look(mean, labels, passes, 1 + len(scales)))
        return self._last[1]


@dataclass
class Tally:
    """Scores of one way to label a video."""

    confusion: np.ndarray
    consistency: VideoConsistency
    table: Tensor | None

    @classmethod
    def empty(cls, classes: int, table: np.ndarray | None) -> "Tally":
        """Before the first frame."""
        counts = np.zeros((0, classes, classes), np.int64)
        own = None if table is None else torch.from_numpy(np.asarray(table)).long()
        return cls(counts, VideoConsistency(8), own)

    def add(self, labels: Tensor, truth: np.ndarray) -> None:
        """One more frame."""
        classes = self.confusion.shape[1]
        shown = labels if self.table is None else self.table[labels]
        true = torch.from_numpy(np.asarray(truth)).long()
        known = true < classes
        pairs = (true * classes + shown)[known]
        counts = torch.bincount(pairs, minlength=classes**2).view(1, classes, classes)
        self.confusion = np.concatenate([self.confusion, counts.numpy()])
        self.consistency.update(labels, truth)

    def mvc8(self) -> float:
        """Consistency over windows of eight frames."""
        self.consistency.end_video()
        return self.consistency.value()


def collect(case: Case, folder: Path) -> Path:
    """Run a case, unless its file is there; returns the file."""
    path = folder / f"{case.name}.npz"
    if path.is_file():
        return path
    start = time.perf_counter()
    video, warmup = open_video(case)
    frames = [frame_to_tensor(frame) for frame in video.frames]
    segmenter, propagator = build(case.network, case.size, folder), OpticalFlowPropagator()
    config = AdaptConfig()
    done = adapt_to_frames(
        segmenter, frames[:warmup], propagator, config, build_targets, CacheBudget(), silent
    )
    classes = 2 if video.relabel is not None else len(CLASS_NAMES)
    tallies = {name: Tally.empty(classes, video.relabel) for name in ("default", *CANDIDATES)}
    speakers, grids, looks, opinions = [], [], Looks(), {}
    with (
        _streams(done, propagator) as streams,
        patch("ditta_adapt.streaming.looking.second_look", looks),
        patch("ditta_adapt.streaming.stream.look_again", looks.again),
    ):
        for t, frame in enumerate(frames[warmup:]):
            looks.frame, known, grid = t, Known(encode_frame(segmenter, frame)), {}
            for name, stream in streams.items():
                looks.speaker = name
                labels, grid[name] = stream.step(frame, _both, known=known)
                tallies[name].add(labels, video.labels[warmup + t])
            speakers.append(streams["default"].state.log.speaker)
            if looks.before:
                opinions[t] = {
                    name: streams[name].state.judge.opinions[name][-1] for name in CANDIDATES[1:]
                }
            # Of a frame that was looked at, what was said before.
            grid |= looks.before
            looks.before.clear()
            grids.append(np.stack([grid[name] for name in CANDIDATES]))
    judge, plan = done.stream.judge, streams["default"].state.plan
    about = {
        "case": asdict(case),
        "warmup": warmup,
        "speakers": speakers,
        "reason": done.report.reason,
        "opinions": {} if judge is None else dict(judge.opinions),
        "opinions of looks": opinions,
        "look_passes": 0.0 if plan is None else plan.spent,
        "warmup_passes": done.warm_up.look_passes,
        "mvc8": {name: tally.mvc8() for name, tally in tallies.items()},
        "seconds": time.perf_counter() - start,
    }
    arrays = {f"confusion {name}": t.confusion for name, t in tallies.items()}
    arrays |= {f"look {t} {k}": v for t, kept in looks.at.items() for k, v in kept.items()}
    truths = np.stack(
        [_small(video.labels[t], grids[0][0].shape) for t in range(warmup, len(frames))]
    )
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(
        part, about=json.dumps(about), labels=np.stack(grids), truth=truths, **arrays
    )
    part.rename(path)
    return path


def run(job: tuple[Case, Path]) -> str:
    """One case; what went wrong, or `""`."""
    case, folder = job
    torch.set_num_threads(1)
    start = time.perf_counter()
    try:
        collect(case, folder)
    # One case that fails is not to end hours of work.
    except Exception:
        return f"{case.name} failed:\n{traceback.format_exc()}"
    print(f"{case.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return ""


class Always(Judge):
    """Hears everything, and lets its one candidate speak all the same."""

    @property
    def speaker(self) -> Speaker:
        """See `Judge`."""
        (name,) = self.opinions
        return name


@contextmanager
def _streams(done: Adaptation, propagator: Propagator) -> Iterator[dict[str, Stream]]:
    """The stream as it is, and one in which each candidate always speaks."""
    stream, config = done.stream, done.report.config
    frozen, memory = stream._frozen, config.memory
    plain = replace(config, safety=None, look=None)
    streams = {"default": stream, "image model": Stream(frozen, frozen, plain)}
    for name in CANDIDATES[1:]:
        own = stream.student if name == "adapted" else frozen
        judge = Always(Checks(), {name: ()})
        streams[name] = Stream(
            own, frozen, config, memory=memory, propagator=propagator, judge=judge
        )
    with open_warper(propagator, done.warm_up.video) as session:
        for name in CANDIDATES:
            begin_after(streams[name], done.warm_up, session)
    try:
        yield streams
    finally:
        for each in streams.values():
            each.close()


def _both(evidence: Evidence) -> tuple[Tensor, np.ndarray]:
    """Labels at the size of the frame, and on the grid."""
    height, width = evidence.logits.shape[2:]
    grid = predict_labels(replace(evidence, size=(height, width)))
    return predict_labels(evidence), grid.numpy().astype(np.uint8)


def _small(truth: np.ndarray | None, size: tuple[int, ...]) -> np.ndarray:
    assert truth is not None
    rows = (np.arange(size[0]) + 0.5) * truth.shape[0] / size[0]
    columns = (np.arange(size[1]) + 0.5) * truth.shape[1] / size[1]
    return np.asarray(truth)[rows.astype(int)][:, columns.astype(int)].astype(np.uint8)
