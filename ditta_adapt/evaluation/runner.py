"""Run one method on one video, and count."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.baselines import Method, Positioned
from ditta_adapt.corruptions import Corruption
from ditta_adapt.datasets.class_map import MappedLabels
from ditta_adapt.datasets.labelled_video import WITHOUT_COUNTERPART, LabelledVideo
from ditta_adapt.datasets.readable import OnError, ReadableFrames
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.result import WINDOWS, Case, VideoResult
from ditta_adapt.evaluation.split import Split
from ditta_adapt.io.frames import Frame
from ditta_adapt.metrics import SegmentationScore, VideoConsistency


def run_method(
    method: Method,
    video: LabelledVideo,
    split: Split,
    num_classes: int,
    case: Case,
    corruption: Corruption | None = None,
    on_error: OnError = "skip",
) -> VideoResult:
    """Adapt a method to the warm-up of a video, let it label the rest, and count.

    Only labelling is timed, not reading frames and not scoring. The warm-up's frames are held while
    it is adapted to; of the rest, a few label maps, however long the video.

    Args:
        method: whatever it was adapted to before is reset.
        video: at least as many frames as the split needs.
        split: which frames are adapted to and which are scored.
        num_classes: of the labels.
        case: goes into the result.
        corruption: applied to all frames, those of the warm-up too, with seed 0.
        on_error: what to do about frames that cannot be read. With `"skip"` they are left out of
            their part of the split, with their labels, as if the video had never had them.

    Raises:
        DittaError: see `Method`; a prediction that is no class of the data set; or frames that
            cannot be read: one with `"stop"`, else all of the warm-up or all that are scored.
    """
    method.reset()
    seconds, note = 0.0, ""
    readable = ReadableFrames(video.frames, on_error)
    stream = _corrupted(readable, corruption)
    if split.warmup:
        warmup, stream = _split_off(stream, split.warmup)
        start = time.perf_counter()
        report = method.adapt(warmup)
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            # Work that is still queued belongs to adaptation, not to the first frame.
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        note = getattr(report, "reason", "")
        del warmup
    if split.scored.start == 0:
        method.clear_memory()
        stream = _corrupted(readable, corruption)
    counter = _Counter(video, num_classes)
    for t, frame in stream:
        if isinstance(method, Positioned):
            method.go_to(t)
        counter.label(method, frame, t)
    return counter.result(case, seconds, note, readable.unread)


class _Counter:
    """Counts of the frames labelled so far."""

    def __init__(self, video: LabelledVideo, num_classes: int) -> None:
        self._video = video
        table = video.relabel
        # Classes that are none of the labels' are predicted as one more, which is true nowhere.
        foreign = table is not None and bool((table == WITHOUT_COUNTERPART).any())
        self._score = SegmentationScore(num_classes + foreign)
        self._num_classes, self._left_out = num_classes, 0
        # Emptied by the first frame without labels: windows would be missing.
        self._consistency = {window: VideoConsistency(window) for window in WINDOWS}
        self._previous: Tensor | None = None
        self._changed: list[float] = []
        self._seconds, self._frames = 0.0, 0

    def label(self, method: Method, frame: Frame, t: int) -> None:
        start = time.perf_counter()
        # Waits for the device too, so that no work is left for an untimed moment.
        prediction = method(frame).cpu()
        self._seconds += time.perf_counter() - start
        self._frames += 1
        if self._previous is not None:
            self._changed.append(float((prediction != self._previous).double().mean()))
        self._previous = prediction
        target = self._video.labels[t]
        if target is None:
            self._consistency = {}
            return
        self._score.update(self._relabelled(prediction), target)
        if isinstance(self._video.labels, MappedLabels):
            self._left_out += self._video.labels.left_out(t)
        for measure in self._consistency.values():
            measure.update(prediction, target)

    def _relabelled(self, prediction: Tensor) -> Tensor:
        table = self._video.relabel
        if table is None:
            return prediction
        if int(prediction.max()) >= len(table):
            raise InputError(
                f"a prediction is class {int(prediction.max())}, but the data set says what to "
                f"take for the classes under {len(table)} only."
            )
        known = np.where(table == WITHOUT_COUNTERPART, self._num_classes, table)
        return torch.from_numpy(known.astype(np.int64))[prediction]

    def _mapping_note(self) -> str:
        """In plain words, what has no counterpart, in predictions and in labels."""
        confusion = self._score.confusion
        counted = int(confusion.sum())
        foreign = int(confusion[:, self._num_classes :].sum())
        notes = []
        if foreign:
            notes.append(
                f"{foreign / counted:.1%} of the scored predictions are of classes without "
                "counterpart, and wrong"
            )
        if self._left_out:
            notes.append(
                f"{self._left_out / (counted + self._left_out):.1%} of the labelled pixels are of "
                "classes that the model has not, and do not count"
            )
        return "; ".join(notes)

    def result(self, case: Case, adapt_seconds: float, note: str, unread: str) -> VideoResult:
        if not self._frames:
            raise InputError(f"none of the frames to be scored could be read: {unread}.")
        return VideoResult(
            case=case,
            frames=self._frames,
            confusion=self._score.confusion.cpu(),
            consistency={
                window: measure.end_video() for window, measure in self._consistency.items()
            },
            changed=float(np.mean(self._changed)) if self._changed else float("nan"),
            adapt_seconds=adapt_seconds,
            stream_seconds=self._seconds,
            note="; ".join(filter(None, (note, self._mapping_note(), unread))),
            unread=unread,
        )


def _split_off(
    stream: Iterator[tuple[int, Frame]], count: int
) -> tuple[list[Frame], Iterator[tuple[int, Frame]]]:
    """Those of the first `count` frames that can be read, and the rest of the stream."""
    first: list[Frame] = []
    for t, frame in stream:
        if t >= count:
            stream = chain([(t, frame)], stream)
            break
        first.append(frame)
    if not first:
        raise InputError(f"none of the {count} frames of the warm-up could be read.")
    return first, stream


def _corrupted(
    frames: Iterable[tuple[int, Frame]], corruption: Corruption | None
) -> Iterator[tuple[int, Frame]]:
    if corruption is None:
        return iter(frames)
    # Of the frames read and not returned yet.
    indices: deque[int] = deque()

    def read() -> Iterator[Frame]:
        for t, frame in frames:
            indices.append(t)
            yield frame

    return ((indices.popleft(), frame) for frame in corruption.apply(read()))
