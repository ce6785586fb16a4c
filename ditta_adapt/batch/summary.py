"""What came of a batch: a table for people, and one for programs."""

import io
import statistics
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

from ditta_adapt.batch.manifest import Entry
from ditta_adapt.batch.standing import Standing
from ditta_adapt.io.optional import require

Row = dict[str, Any]

COLUMNS = {
    "name": "string",
    "video": "string",
    "status": "string",
    "reason": "string",
    "verdict": "string",
    "frames": "int64",
    "height": "int64",
    "width": "int64",
    "warmup_frames": "int64",
    "seconds": "float64",
    "adapt_seconds": "float64",
    "changing_before": "float64",
    "changing_after": "float64",
    "flicker_before": "float64",
    "flicker_after": "float64",
    "frames_adapted": "int64",
    "frames_memory": "int64",
    "frames_image_model": "int64",
    "cuts": "int64",
    "looks": "int64",
    "notes": "list",
}
"""Of the results, by name, with their types; `list` is one of texts.

Status is done, was done (by an earlier run), failed, set aside (by an earlier run), or open.
Seconds are wall time. Changing is the share of pixels whose label differs from the frame before,
flicker the same with motion taken out, both of the image model alone (before) and of the video
model (after), on the same pairs of frames.
"""

ASIDE = ("failed", "set aside")
"""Status of videos that are not tried again."""

_SHOWN = 12


def rows_of(entries: Sequence[Entry], standing: Standing) -> list[Row]:
    """A row a video, in the order of the manifest."""
    rows = []
    for entry in entries:
        answer = standing.answers.get(entry.name)
        row: Row = {"name": entry.name, "video": entry.video, "status": "open", "reason": ""}
        if answer is not None:
            row |= {"status": answer.kind, "reason": answer.reason, **answer.row}
        rows.append(row)
    return rows


def to_parquet(rows: Sequence[Row]) -> bytes:
    """The rows as a Parquet file, with `COLUMNS`; what a row does not say is null.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    arrow: Any = require("pyarrow")
    types = {"list": arrow.list_(arrow.string())}
    schema = arrow.schema([(name, types.get(kind, kind)) for name, kind in COLUMNS.items()])
    table = arrow.Table.from_pylist(
        [{key: row.get(key) for key in COLUMNS} for row in rows], schema
    )
    file = io.BytesIO()
    require("pyarrow.parquet").write_table(table, file)
    return file.getvalue()


@dataclass(frozen=True, slots=True)
class Concern:
    """Why somebody should look at a video.

    Attributes:
        weight: how urgent it is; above 0.
        text: the reason, in a few words.
    """

    weight: float
    text: str


def steadiness(row: Row) -> tuple[float, float] | None:
    """Of the image model alone and of the video model, the lower the steadier; none if not known.

    It is flicker, or where motion could not be taken out, the share of pixels changing.
    """
    for kind in ("flicker", "changing"):
        before, after = row.get(f"{kind}_before"), row.get(f"{kind}_after")
        if before is not None and after is not None:
            return before, after
    return None


def concern_of(row: Row, usual: Set[str] = frozenset()) -> Concern | None:
    """The gravest reason to look at a video; none if there is none.

    First what has no results, then what became less steady, the worse the sooner; then what is
    noted about the video; then where nothing was gained.

    Args:
        row: of the video.
        usual: notes that say nothing of this one.
    """
    if row["status"] in ASIDE:
        return Concern(4, row["reason"])
    if row["status"] == "open":
        return Concern(3, "not done yet")
    steady = steadiness(row)
    if steady is not None and steady[1] > steady[0]:
        before, after = steady
        text = f"less steady: {after:.2%} of labels flicker, {before:.2%} with the image model"
        return Concern(2 + (after - before) / after, text)
    notes = [note for note in row.get("notes") or () if note not in usual]
    if notes:
        return Concern(1, notes[0])
    if row.get("frames") and row.get("frames_image_model") == row["frames"]:
        return Concern(0.5, "the image model alone spoke")
    return None


def by_concern(rows: Sequence[Row]) -> list[tuple[Row, Concern | None]]:
    """Rows with their concerns, the gravest first, the others in their order."""
    noted = [set(row["notes"]) for row in rows if "notes" in row]
    usual = set.intersection(*noted) if len(noted) > 1 else frozenset()
    found = [(row, concern_of(row, usual)) for row in rows]
    return sorted(found, key=lambda pair: -pair[1].weight if pair[1] is not None else 0.0)


def render_summary(rows: Sequence[Row], seconds: float, workers: int) -> str:
    """Counts, throughput, steadiness, and the videos that need a look, in lines of text.

    Args:
        rows: see `rows_of`.
        seconds: wall time of the batch.
        workers: that it had.
    """
    lines = [_counts(rows)]
    new = [row for row in rows if row["status"] == "done"]
    if new and seconds > 0:
        frames, busy = sum(row["frames"] for row in new), sum(row["seconds"] for row in new)
        lines.append(
            f"{len(new)} videos in {seconds:.0f} s: {3600 * len(new) / seconds:.0f} an hour, "
            f"{frames / seconds:.1f} frames a second; workers: {workers}, labelling for "
            f"{min(busy / seconds / workers, 1):.0%} of that time."
        )
    steady = [both for row in rows if (both := steadiness(row)) is not None]
    if steady:
        before, after = (statistics.median(both[side] for both in steady) for side in (0, 1))
        worse = sum(after > before for before, after in steady)
        lines.append(
            f"Flicker: {after:.2%} of labels, {before:.2%} with the image model alone (medians); "
            f"{worse} of {len(steady)} videos are less steady than with it."
        )
    concerns = [(row, concern) for row, concern in by_concern(rows) if concern is not None]
    lines += [f"  {row['name']}: {concern.text}" for row, concern in concerns[:_SHOWN]]
    if len(concerns) > _SHOWN:
        lines.append(f"  and {len(concerns) - _SHOWN} more")
    return "\n".join(lines)


def _counts(rows: Sequence[Row]) -> str:
    counts = Counter(row["status"] for row in rows)
    done = counts["done"] + counts["was done"]
    parts = [f"{done} of {len(rows)} videos are done"]
    if counts["was done"]:
        parts[0] += f", {counts['was done']} of them before"
    if aside := sum(counts[status] for status in ASIDE):
        parts.append(f"{aside} set aside")
    if counts["open"]:
        parts.append(f"{counts['open']} open")
    return "; ".join(parts) + "."
