"""Results pooled over videos, laid out like the tables of the literature."""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ditta_adapt.evaluation.confusions import summed
from ditta_adapt.evaluation.result import VideoResult
from ditta_adapt.evaluation.scores import CHANGED, USUAL, Scores
from ditta_adapt.metrics import SegmentationScore, VideoConsistency
from ditta_adapt.reporting import tables
from ditta_adapt.running.warmup import parse_warmup


@dataclass(frozen=True, slots=True)
class Row:
    """One method under one condition, over all its videos. Shares are in [0, 1].

    Attributes:
        method: its name.
        warmup: what was adapted to of each video: `"10%"` or `"8 frames"`.
        corruption: or `""`.
        videos: how many were scored.
        failed: how many were not, because of an error.
        fps: frames labelled a second.
        adapt_seconds: mean time of adaptation a video.
        scores: those that were asked for, by name in their order, and `changed`; NaN where nothing
            could be scored.
    """

    method: str
    warmup: str
    corruption: str
    videos: int
    failed: int
    fps: float
    adapt_seconds: float
    scores: dict[str, float]


def pool(results: Iterable[VideoResult], scores: Scores = USUAL) -> list[Row]:
    """One row for each method and condition, in the order of their first results.

    mIoU, wIoU and mAcc are read from the sum of the videos' confusion matrices, mVC is the mean
    over all windows of all videos, `changed` the mean over videos, and scores beyond the usual are
    pooled as each `Extra` says.
    """
    groups: dict[tuple[str, str, str], list[VideoResult]] = {}
    for result in results:
        case = result.case
        groups.setdefault((case.method, case.warmup, case.corruption), []).append(result)
    return [_row(*key, group, scores) for key, group in groups.items()]


def _row(
    method: str, warmup: str, corruption: str, results: Sequence[VideoResult], asked: Scores
) -> Row:
    # In the order of names: a sum of floats depends on its order, and a resumed run has another.
    done = sorted((r for r in results if not r.error), key=lambda r: r.case.video)
    scores = dict.fromkeys([*asked.names, CHANGED], math.nan)
    scored = [r for r in done if r.confusion.sum() > 0]
    if scored:
        score = SegmentationScore.from_confusion(summed([r.confusion for r in scored]))
        pooled = {"mIoU": score.miou(), "wIoU": score.wiou(), "mAcc": score.mean_accuracy()}
        scores |= {name: value for name, value in pooled.items() if name in scores}
    for window in asked.windows:
        measure = VideoConsistency(window)
        for result in done:
            measure.add_scores(result.consistency.get(window, []))
        scores[f"mVC{window}"] = measure.value()
    for extra in asked.extras:
        counts = [r.extras[extra.key] for r in done if extra.key in r.extras]
        found = extra.pooled(counts) if counts else {}
        scores |= {name: value for name, value in found.items() if name in scores}
    changed = [r.changed for r in done if not math.isnan(r.changed)]
    if changed:
        scores[CHANGED] = sum(changed) / len(changed)
    seconds = sum(r.stream_seconds for r in done)
    return Row(
        method=method,
        warmup=warmup,
        corruption=corruption,
        videos=len(done),
        failed=len(results) - len(done),
        fps=sum(r.frames for r in done) / seconds if seconds else math.nan,
        adapt_seconds=sum(r.adapt_seconds for r in done) / len(done) if done else math.nan,
        scores=scores,
    )


def render(rows: Sequence[Row], *, markdown: bool = False, changed: bool = False) -> str:
    """The rows as text: one table a corruption, methods down, warm-ups across, scores times 100.

    Without any true label the scores are left out, and the share of changing pixels stands alone;
    else it is shown if `changed` is set.
    """
    parts = []
    for corruption in dict.fromkeys(row.corruption for row in rows):
        chosen = [row for row in rows if row.corruption == corruption]
        lines = _lines(chosen, changed)
        title = f"Under {corruption}:" if corruption else ""
        parts += [title] if title else []
        parts += [tables.markdown(lines) if markdown else tables.plain(lines), *_failures(chosen)]
    return "\n\n".join(parts) + "\n"


def _lines(rows: Sequence[Row], shows_changed: bool) -> list[list[str]]:
    """Header and body as text tables."""
    names = list(rows[0].scores)
    if not any(
        name != CHANGED and not math.isnan(row.scores[name]) for row in rows for name in names
    ):
        names = [CHANGED]
    elif not shows_changed:
        names.remove(CHANGED)
    warmups = sorted({row.warmup for row in rows}, key=_order)
    header = ["method", "FPS", *(f"{n} @{w}" for w in warmups for n in names)]
    lines = [header]
    for method in dict.fromkeys(row.method for row in rows):
        own = {row.warmup: row for row in rows if row.method == method}
        fps = [row.fps for row in own.values() if not math.isnan(row.fps)]
        line = [method, _number(sum(fps) / len(fps) if fps else math.nan)]
        for warmup in warmups:
            scores = own[warmup].scores if warmup in own else {}
            line += [_number(100 * scores.get(name, math.nan)) for name in names]
        lines.append(line)
    return lines


def _order(warmup: str) -> tuple[bool, float]:
    """Shares before numbers of frames."""
    value = parse_warmup(warmup)
    return isinstance(value, int), value


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _failures(rows: Sequence[Row]) -> list[str]:
    return [
        f"{row.method} at {row.warmup}: {row.failed} of {row.failed + row.videos} videos "
        "failed and are left out."
        for row in rows
        if row.failed
    ]


def to_csv(rows: Sequence[Row]) -> str:
    """One line a row, unrounded."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    head = ["method", "warmup", "corruption", "videos", "failed", "fps", "adapt_seconds"]
    writer.writerow([*head, *(rows[0].scores if rows else ())])
    for row in rows:
        writer.writerow([getattr(row, name) for name in head] + list(row.scores.values()))
    return text.getvalue()


def classes_to_csv(results: Iterable[VideoResult], class_names: Sequence[str]) -> str:
    """One line a method, condition and class: its IoU over all videos, and its true pixels.

    Args:
        results: of one data set.
        class_names: of its labels; classes past them, which no label has, are left out.
    """
    groups: dict[tuple[str, str, str], list[VideoResult]] = {}
    for result in results:
        case = result.case
        if result.confusion.sum() > 0:
            groups.setdefault((case.method, case.warmup, case.corruption), []).append(result)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "warmup", "corruption", "class", "name", "iou", "pixels"])
    for key, group in groups.items():
        total = summed([result.confusion for result in group])
        pixels = total.sum(dim=1).tolist()
        ious = SegmentationScore.from_confusion(total).iou().tolist()
        for label, name in enumerate(class_names):
            writer.writerow([*key, label, name, ious[label], pixels[label]])
    return text.getvalue()
