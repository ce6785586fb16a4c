"""What is counted of the frames that a method labels."""

import time
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.baselines import Method
from ditta_adapt.datasets.class_map import MappedLabels
from ditta_adapt.datasets.labelled_video import IGNORE, WITHOUT_COUNTERPART, LabelledVideo
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.extra import Classes, ScoredFrame
from ditta_adapt.evaluation.motion import Motion
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.evaluation.scores import Scores
from ditta_adapt.io.frames import Frame
from ditta_adapt.metrics import SegmentationScore, VideoConsistency

Watch: TypeAlias = Callable[[int, Frame, Tensor, Tensor | None], None]
"""Is shown a frame's index, the frame, its labels as classes of the data set, and the true ones."""


class Counter:
    """Counts of the frames labelled so far.

    Args:
        video: with its labels, if it has any.
        num_classes: of the labels.
        scores: what is measured.
        watch: is shown every frame that was labelled, see `Watch`.
    """

    def __init__(
        self, video: LabelledVideo, num_classes: int, scores: Scores, watch: Watch | None = None
    ) -> None:
        self._video, self._watch = video, watch
        table = video.relabel
        # Classes that are none of the labels' are predicted as one more, which is true nowhere.
        foreign = table is not None and bool((table == WITHOUT_COUNTERPART).any())
        classes = Classes(num_classes if table is None else len(table), num_classes + foreign)
        self._score = SegmentationScore(classes.shown)
        self._extras = {extra.key: extra(classes) for extra in scores.extras}
        self._motion = Motion()
        self._num_classes, self._left_out = num_classes, 0
        # Emptied by the first frame without labels: windows would be missing.
        self._consistency = {window: VideoConsistency(window) for window in scores.windows}
        self._previous: Tensor | None = None
        self._changed: list[float] = []
        self._seconds, self._frames = 0.0, 0

    def label(self, method: Method, frame: Frame, t: int) -> None:
        """Have the method label frame `t` of the video, timed, and count."""
        start = time.perf_counter()
        # Waits for the device too, so that no work is left for an untimed moment.
        prediction = method(frame).cpu()
        self._seconds += time.perf_counter() - start
        self._frames += 1
        if self._previous is not None:
            self._changed.append(float((prediction != self._previous).double().mean()))
        self._previous = prediction
        labels = self._video.labels
        if isinstance(labels, MappedLabels):
            target, left_out = labels.with_left_out(t)
            self._left_out += left_out
        else:
            target = labels[t]
        true: Tensor | None = None
        if target is None:
            self._consistency = {}
        else:
            # So that what does not count is no class, however many there are.
            true = torch.from_numpy(np.where(target == IGNORE, -1, target.astype(np.int64)))
            self._score.update(self._relabelled(prediction), true)
            for measure in self._consistency.values():
                measure.update(prediction, target)
        if self._extras:
            self._motion.take(frame)
            shown = self._relabelled(prediction)
            scored = ScoredFrame(prediction, shown, true, self._motion)
            for extra in self._extras.values():
                extra.update(scored)
        if self._watch is not None:
            self._watch(t, frame, self._relabelled(prediction), true)

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
        """All of it.

        Raises:
            InputError: no frame was labelled.
        """
        if not self._frames:
            raise InputError(f"none of the frames to be scored could be read: {unread}.")
        return VideoResult(
            case=case,
            frames=self._frames,
            confusion=self._score.confusion.cpu(),
            consistency={
                window: measure.end_video() for window, measure in self._consistency.items()
            },
            extras={key: extra.counts() for key, extra in self._extras.items()},
            changed=float(np.mean(self._changed)) if self._changed else float("nan"),
            adapt_seconds=adapt_seconds,
            stream_seconds=self._seconds,
            note="; ".join(filter(None, (note, self._mapping_note(), unread))),
            unread=unread,
        )
