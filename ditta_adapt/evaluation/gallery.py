"""Where methods fail: the worst videos of each, at the frame where it breaks, as one HTML file."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.evaluation.evaluate import Plan, run_case
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.io.frames import Frame, frame_to_tensor
from ditta_adapt.io.optional import require
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.reporting.markup import image, percent, picture_size
from ditta_adapt.reporting.pictures import overlay, side_by_side

_WIDTH = 320
"""Of a picture in pixels, at most."""
_NOTHING = (128, 128, 128)
"""Colour of what does not count, and of predictions that no label has."""


@dataclass(frozen=True, slots=True)
class Failure:
    """The worst frame of a video.

    Attributes:
        case: method, condition and video.
        miou: of all scored frames of the video.
        t: the frame, an index into the video.
        frame_miou: of this frame alone.
        picture: JPEG: the frame, what is true of it, and what the method says.
    """

    case: Case
    miou: float
    t: int
    frame_miou: float
    picture: bytes


def find_failures(plan: Plan, results: Sequence[VideoResult], count: int) -> list[Failure]:
    """The videos of the lowest mIoU, for each method and condition, at their worst frame.

    These cases are run once more, which gives what they gave before.

    Args:
        plan: of the evaluation.
        results: of it; what failed or has no labels is passed over.
        count: videos a method and condition.
    """
    groups: dict[tuple[str, str, str], list[tuple[float, VideoResult]]] = {}
    for result in results:
        case = result.case
        if result.confusion.sum() > 0:
            score = SegmentationScore.from_confusion(result.confusion).miou()
            key = case.method, case.warmup, case.corruption
            groups.setdefault(key, []).append((score, result))
    found = []
    for group in groups.values():
        for score, result in sorted(group, key=lambda each: (each[0], each[1].case.video))[:count]:
            worst = _WorstFrame(len(result.confusion))
            run_case(plan, result.case, worst)
            if worst.picture is not None:
                picture = _drawn(*worst.picture, plan.dataset.palette, result.case.method)
                found.append(Failure(result.case, score, worst.t, worst.miou, picture))
    return found


class _WorstFrame:
    """Remembers the frame of the lowest mIoU that it was shown."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes = num_classes
        self.t, self.miou = -1, float("inf")
        self.picture: tuple[Frame, Tensor, Tensor] | None = None

    def __call__(
        self,
        t: int,
        frame: Frame,
        shown: Int64[Tensor, "H W"],
        target: Int64[Tensor, "H W"] | None,
    ) -> None:
        if target is None:
            return
        score = SegmentationScore(self._num_classes)
        score.update(shown, target)
        miou = score.miou()
        # Also false for NaN, of a frame in which nothing counts.
        if miou < self.miou:
            self.t, self.miou = t, miou
            self.picture = (frame, target, shown)


def _drawn(frame: Frame, target: Tensor, shown: Tensor, palette: np.ndarray, method: str) -> bytes:
    """A JPEG file of three panels."""
    image_module = require("PIL.Image")
    pixels = frame_to_tensor(frame).permute(1, 2, 0).cpu().numpy()
    step = max(-(-pixels.shape[1] // _WIDTH), 1)
    small = np.ascontiguousarray(pixels[::step, ::step])
    colours = np.vstack([palette, [_NOTHING]]).astype(np.uint8)
    last = len(palette)

    def coloured(labels: Tensor) -> np.ndarray:
        known = torch.where((labels < 0) | (labels >= last), last, labels)
        return overlay(small, known.numpy()[::step, ::step], colours)

    panels = [("frame", small), ("true", coloured(target)), (method, coloured(shown))]
    file = BytesIO()
    image_module.fromarray(side_by_side(panels)).save(file, "JPEG", quality=85)
    return file.getvalue()


def render_gallery(failures: Sequence[Failure]) -> str:
    """One HTML page with a figure a failure; it asks no server for anything."""
    parts = []
    for method in dict.fromkeys(failure.case.method for failure in failures):
        own = [failure for failure in failures if failure.case.method == method]
        parts.append(f"<h2>{escape(method)}</h2>{''.join(map(_figure, own))}")
    nothing = "<p>No video with labels was scored.</p>"
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="color-scheme" content="light dark">'
        "<title>Where methods fail</title><style>body{font-family:system-ui,sans-serif;"
        "max-width:70rem;margin:2rem auto;padding:0 1rem}img{max-width:100%;height:auto}"
        "figure{margin:1rem 0}</style></head><body><h1>Where methods fail</h1>"
        "<p>The videos of the lowest mIoU of each method, at the frame of the lowest one. Grey is "
        f"what does not count.</p>{''.join(parts) or nothing}</body></html>\n"
    )


def _figure(failure: Failure) -> str:
    case = failure.case
    condition = f"{case.warmup}{f', {case.corruption}' if case.corruption else ''}"
    text = (
        f"{case.video} ({condition}): mIoU {percent(failure.miou)}; frame {failure.t}: "
        f"{percent(failure.frame_miou)}"
    )
    picture = image(failure.picture, text, size=picture_size(failure.picture))
    return f"<figure>{picture}<figcaption>{escape(text)}</figcaption></figure>"
