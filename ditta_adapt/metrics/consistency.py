"""mVC: how constant predictions stay where the truth does."""

import math
from collections.abc import Collection, Iterable
from typing import Literal, get_args

import torch
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.metrics.labels import Labels, VideoFrames, same_length

Windows = Literal["official", "paper"]
Average = Literal["windows", "videos"]


class VideoConsistency:
    r"""Mean video consistency over windows of `n` frames.

    .. math:: mVC_n = \operatorname{mean}_i \frac{|G_i \cap Q_i|}{|G_i|}

    `G_i` are the pixels whose target is constant over frames `i .. i + n - 1`, `Q_i` those whose
    prediction is. Whether the prediction is *right* is not asked: one that never changes scores 1.
    By default a video of `L` frames has the windows `i = 0 .. L - n - 1`, one fewer than fit, as
    in the official program; windows with an empty `G_i` are left out, and all windows of all
    videos weigh the same.

    Frames come one at a time with `update`, and `end_video` ends a video; or a whole video comes
    with `add_video`. Of what was shown two frames' worth of maps is held.

    Attribute `scores` has one list per video that has ended, with the score of each of its windows
    in order. Kept as they are, and put back with `add_scores`, they pool to the same value.

    Args:
        window: `n`, at least 2.
        windows: `"official"`: `L - n` windows. `"paper"`: all `L - n + 1` that fit.
        average: `"windows"`: the mean over all windows. `"videos"`: the mean over the videos of
            each video's mean, as the paper has it.
        require_correct: count a pixel of `Q_i` only where it equals the target.
        ignored: targets left out of `G_i`, such as 255. In the official program a constant
            255 counts like any other label.

    Source: the VSPW paper and evaluator.
    """

    def __init__(
        self,
        window: int,
        *,
        windows: Windows = "official",
        average: Average = "windows",
        require_correct: bool = False,
        ignored: Collection[int] = (),
    ) -> None:
        if window < 2:
            raise InputError(f"window is {window}; expected at least 2 frames.")
        if windows not in get_args(Windows):
            raise InputError(f"windows is {windows!r}; expected 'official' or 'paper'.")
        if average not in get_args(Average):
            raise InputError(f"average is {average!r}; expected 'windows' or 'videos'.")
        self.window = window
        self.windows = windows
        self.average = average
        self.require_correct = require_correct
        self.ignored = frozenset(ignored)
        self.scores: list[list[float]] = []
        self._open: _OpenVideo | None = None

    def update(self, pred: Labels, target: Labels) -> None:
        """Add the next frame of the video that is open, or the first of a new one.

        Args:
            pred: `(H, W)` integers.
            target: `(H, W)` integers.

        Raises:
            ShapeError: the maps are not `(H, W)`, or differ in size from each other or from the
                frames before.
            InputError: not integers. Whatever is raised, the frame alone is left out.
        """
        video = self._open or _OpenVideo()
        prediction, truth = video.frames.check(pred, target)
        self._open = video
        quiet = video.targets.add(truth) >= self.window
        for label in self.ignored:
            quiet &= truth != label
        same = (video.preds.add(prediction) >= self.window) & quiet
        if self.require_correct:
            # Both are constant over the window, so its last frame speaks for all.
            same &= prediction == truth
        video.add_window(*torch.stack([same.sum(), quiet.sum()]).tolist())

    def end_video(self) -> list[float]:
        """End the video that is open, so that it counts; without a frame, it is an empty one.

        Returns:
            The scores of its windows, in order; empty if it had too few frames for one.
        """
        video = self._open or _OpenVideo()
        self._open = None
        if self.windows == "paper":
            video.let_go()
        self.scores.append(video.scores)
        return list(video.scores)

    def add_video(self, preds: Iterable[Labels], targets: Iterable[Labels]) -> None:
        """Add one video: label maps `(H, W)` frame by frame.

        A video with too few frames for a window adds an empty list of scores; one that is refused
        adds nothing.

        Raises:
            ShapeError: a frame whose maps differ in size from each other or from the first.
            InputError: one of the two has more frames than the other; or a video is open, to
                which `update` has added frames.
        """
        if self._open is not None:
            raise InputError(
                "a video is open, to which update has added frames; expected end_video() before "
                "another one."
            )
        try:
            for pred, target in same_length(preds, targets):
                self.update(pred, target)
            self.end_video()
        finally:
            self._open = None

    def add_scores(self, scores: Iterable[float]) -> None:
        """Add one video by the stored scores of its windows.

        Raises:
            InputError: a score outside [0, 1].
        """
        video = [float(score) for score in scores]
        for score in video:
            if not 0 <= score <= 1:
                raise InputError(f"a window's score is {score}; expected one in [0, 1].")
        self.scores.append(video)

    def value(self) -> float:
        """mVC in [0, 1] of the videos that have ended; NaN if they have no window."""
        videos = [video for video in self.scores if video]
        if self.average == "videos":
            return _mean([_mean(video) for video in videos])
        return _mean([score for video in videos for score in video])


class _OpenVideo:
    """What is known of a video that has not ended."""

    def __init__(self) -> None:
        self.frames = VideoFrames()
        self.preds, self.targets = _Steadiness(), _Steadiness()
        self.scores: list[float] = []
        self._held: tuple[int, int] = (0, 0)

    def add_window(self, both: int, quiet: int) -> None:
        """Hold a window back until the next one, as the official form leaves out the last."""
        self.let_go()
        self._held = (both, quiet)

    def let_go(self) -> None:
        """Score the window that was held back, if there is anything in it."""
        both, quiet = self._held
        if quiet:
            self.scores.append(both / quiet)
        self._held = (0, 0)


class _Steadiness:
    """For every pixel, over how many frames up to now its label has been the same."""

    def __init__(self) -> None:
        self._labels: Tensor | None = None
        self._count: Tensor | None = None

    def add(self, labels: Tensor) -> Tensor:
        count = torch.ones_like(labels, dtype=torch.int32)
        if self._labels is not None and self._count is not None:
            count += torch.where(labels == self._labels, self._count, 0)
        self._labels, self._count = labels, count
        return count


def _mean(values: list[float]) -> float:
    # Summed exactly, so that the order of videos cannot matter.
    return math.fsum(values) / len(values) if values else math.nan
