"""Video by video against the image model: a good mean can hide a video that was ruined."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ditta_adapt.evaluation.result import VideoResult
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.reporting import tables

IMAGE_MODEL = "image-model"
"""The method that all others are compared with."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One method under one condition against the image model, over the videos both have scored.

    Attributes:
        method: its name.
        warmup: what was adapted to of each video: `"10%"` or `"8 frames"`.
        corruption: or `""`.
        mean: mean of the videos' scores, in [0, 1].
        change: mean of their differences to the image model.
        worst: the smallest difference.
        worst_video: whose that is.
        better, worse: videos that gained, or lost, more than half a point.
    """

    method: str
    warmup: str
    corruption: str
    mean: float
    change: float
    worst: float
    worst_video: str
    better: int
    worse: int


def video_miou(result: VideoResult) -> float:
    """mIoU of one video alone, over the classes in its true labels; NaN without any."""
    if not result.confusion.numel():
        return math.nan
    return SegmentationScore.from_confusion(result.confusion).miou()


def compare(
    results: Iterable[VideoResult], score: Callable[[VideoResult], float] = video_miou
) -> list[Comparison]:
    """Compare every method with the image model on the same frames.

    Args:
        results: among them those of the image model, `"image-model"`; without it there is nothing
            to compare with, and the list is empty.
        score: of one video, in [0, 1].
    """
    table: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for result in results:
        case, value = result.case, math.nan if result.error else score(result)
        if not math.isnan(value):
            methods = table.setdefault((case.warmup, case.corruption), {})
            methods.setdefault(case.method, {})[case.video] = value
    found = []
    for (warmup, corruption), methods in table.items():
        base = methods.get(IMAGE_MODEL, {})
        for method, scores in methods.items():
            shared = sorted(set(scores) & set(base))
            if shared:
                values = np.array([scores[video] for video in shared])
                change = values - [base[video] for video in shared]
                found.append(
                    Comparison(
                        method=method,
                        warmup=warmup,
                        corruption=corruption,
                        mean=float(values.mean()),
                        change=float(change.mean()),
                        worst=float(change.min()),
                        worst_video=shared[int(change.argmin())],
                        better=int((change > 0.005).sum()),
                        worse=int((change < -0.005).sum()),
                    )
                )
    return found


def render_comparison(comparisons: Sequence[Comparison], *, markdown: bool = False) -> str:
    """The comparisons as text, scores times 100; empty if there are none but with itself."""
    rows = [
        [
            item.method + (f", {item.corruption}" if item.corruption else ""),
            item.warmup,
            f"{100 * item.mean:.2f}",
            f"{100 * item.change:+.2f}",
            f"{100 * item.worst:+.2f}",
            item.worst_video,
            str(item.better),
            str(item.worse),
        ]
        for item in comparisons
        if item.method != IMAGE_MODEL
    ]
    if not rows:
        return ""
    header = ["method", "warm-up", "mean", "change", "worst", "on video", "better", "worse"]
    text = tables.markdown([header, *rows]) if markdown else tables.plain([header, *rows])
    return f"Video by video, against the image model (mean of the videos' scores):\n\n{text}\n"
