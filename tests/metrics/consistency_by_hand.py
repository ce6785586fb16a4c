"""Videos for mVC, and mVC window by window."""

from collections.abc import Collection
from typing import Any

import numpy as np
from hypothesis import strategies as st

from ditta_adapt.metrics import VideoConsistency

Video = tuple[np.ndarray, np.ndarray]


@st.composite
def videos(draw: st.DrawFn) -> Video:
    """Predictions and targets `(L, H, W)` that change now and then; 255 among the targets."""
    length = draw(st.integers(0, 9))
    h, w = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    flicker = draw(st.sampled_from([0.0, 0.1, 0.5]))

    def one() -> np.ndarray:
        labels = rng.choice([0, 1, 2, 255], (length, h, w))
        for t in range(1, length):
            labels[t] = np.where(rng.random((h, w)) < flicker, labels[t], labels[t - 1])
        return labels

    return one(), one()


def windows_by_hand(
    video: Video,
    n: int,
    *,
    windows: str = "official",
    require_correct: bool = False,
    ignored: Collection[int] = (),
) -> list[float]:
    """The official evaluator's definition, window by window, pixel by pixel."""
    preds, targets = video
    scores = []
    for i in range(len(preds) - n + (windows == "paper")):
        steady = both = 0
        for y, x in np.ndindex(preds.shape[1:]):
            truths = targets[i : i + n, y, x].tolist()
            if len(set(truths)) == 1 and truths[0] not in ignored:
                steady += 1
                found = preds[i : i + n, y, x].tolist()
                both += found == truths if require_correct else len(set(found)) == 1
        if steady:
            scores.append(both / steady)
    return scores


def consistency(n: int, *videos: Video, **options: Any) -> float:
    metric = VideoConsistency(n, **options)
    for preds, targets in videos:
        metric.add_video(preds, targets)
    return metric.value()
