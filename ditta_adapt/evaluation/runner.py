"""Run one method on one video, and count."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

import torch

from ditta_adapt.baselines import Method, Positioned
from ditta_adapt.corruptions import Corruption
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.datasets.readable import OnError, ReadableFrames
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.counter import Counter, Watch
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.evaluation.scores import USUAL, Scores
from ditta_adapt.evaluation.split import Split
from ditta_adapt.io.frames import Frame


def run_method(
    method: Method,
    video: LabelledVideo,
    split: Split,
    num_classes: int,
    case: Case,
    corruption: Corruption | None = None,
    on_error: OnError = "skip",
    scores: Scores = USUAL,
    watch: Watch | None = None,
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
        scores: what is measured.
        watch: is shown every frame that was labelled.

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
    counter = Counter(video, num_classes, scores, watch)
    for t, frame in stream:
        if isinstance(method, Positioned):
            method.go_to(t)
        counter.label(method, frame, t)
    return counter.result(case, seconds, note, readable.unread)


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
