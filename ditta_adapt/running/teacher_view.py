"""What the teacher says of the warm-up, as pictures for the report."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from jaxtyping import Integer, UInt8

from ditta_adapt.config import AdaptConfig
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.video_segmenter import VideoSegmenter

MOST = 6
"""Frames of the warm-up that are shown, evenly spread."""

Show = Callable[[int, UInt8[np.ndarray, "H W 3"], Integer[np.ndarray, "h w"]], None]


@contextmanager
def teacher_shown(video_model: VideoSegmenter, show: Show) -> Iterator[None]:
    """Inside, what the next adaptation learns is shown, some frames of it.

    Args:
        video_model: whose target builder is watched.
        show: called with the index of a warm-up frame, the frame, and the labels to be learned,
            negative where there are none.
    """
    builder = video_model.target_builder
    video_model.target_builder = _Watched(builder, show)
    try:
        yield
    finally:
        video_model.target_builder = builder


class _Watched:
    """A target builder whose targets are shown."""

    def __init__(self, builder: TargetBuilder, show: Show) -> None:
        self._builder, self._show = builder, show

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        targets = self._builder(propagator, warm_up, config, progress)
        count = min(len(targets.labels), MOST) if targets.learnable else 0
        for t in np.linspace(0, len(targets.labels) - 1, count).round().astype(int).tolist():
            frame = warm_up.frames[t].permute(1, 2, 0).cpu().numpy()
            self._show(t, frame, targets.labels[t].cpu().numpy())
        return targets
