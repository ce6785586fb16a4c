"""What came of a batch, in words and as a table."""

import io
from typing import Any

import pyarrow.parquet
import pytest

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.manifest import Entry
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.summary import (
    COLUMNS,
    by_concern,
    concern_of,
    render_summary,
    rows_of,
    steadiness,
    to_parquet,
)


def row(name: str = "clip", **values: Any) -> dict[str, Any]:
    usual = {"status": "done", "reason": "", "frames": 10, "seconds": 2.0, "notes": []}
    steady = {"flicker_before": 0.02, "flicker_after": 0.01, "frames_image_model": 1}
    return {"name": name, "video": f"{name}.mp4"} | usual | steady | values


def test_rows_are_in_the_order_of_the_manifest() -> None:
    entries = [Entry("b", "b.mp4"), Entry("a", "a.mp4"), Entry("c", "c.mp4")]
    answers = {"a": Answer("done", {"frames": 3}), "b": Answer("failed", reason="dark")}
    rows = rows_of(entries, Standing(3, answers=answers))
    assert [each["name"] for each in rows] == ["b", "a", "c"]
    assert [each["status"] for each in rows] == ["failed", "done", "open"]
    assert rows[0]["reason"] == "dark"
    assert rows[1]["frames"] == 3


def test_parquet_has_every_column_and_null_for_what_is_not_known() -> None:
    rows = [row("a", notes=["dark", "long"]), {"name": "b", "video": "b.mp4", "status": "open"}]
    table = pyarrow.parquet.read_table(io.BytesIO(to_parquet(rows)))
    assert table.column_names == list(COLUMNS)
    assert str(table.schema.field("flicker_after").type) == "double"
    assert table["flicker_after"].to_pylist() == [0.01, None]
    assert table["notes"].to_pylist() == [["dark", "long"], None]
    assert pyarrow.parquet.read_table(io.BytesIO(to_parquet([]))).num_rows == 0


def test_what_needs_a_look_comes_first() -> None:
    rows = [
        row("fine"),
        row("unchanged", frames_image_model=10),
        row("noted", notes=["the file is damaged"]),
        row("worse", flicker_after=0.03),
        row("much worse", flicker_after=0.2),
        row("open", status="open"),
        row("failed", status="failed", reason="no video"),
        row("fine, too"),
    ]
    found = [(each["name"], concern) for each, concern in by_concern(rows)]
    assert [name for name, _ in found] == [
        *("failed", "open", "much worse", "worse", "noted", "unchanged", "fine", "fine, too")
    ]
    texts = [concern.text if concern else "" for _, concern in found]
    assert texts[0] == "no video"
    assert texts[2] == "less steady: 20.00% of labels flicker, 2.00% with the image model"
    assert texts[4] == "the file is damaged"
    assert texts[-2:] == ["", ""]


def test_a_note_that_every_video_has_says_nothing_of_one() -> None:
    rows = [row("a", notes=["no names"]), row("b", notes=["no names", "damaged"])]
    assert [(each["name"], bool(concern)) for each, concern in by_concern(rows)] == [
        ("b", True),
        ("a", False),
    ]
    assert concern_of(row("a", notes=["no names"])) is not None


def test_steadiness_takes_motion_out_where_it_can() -> None:
    assert steadiness(row(changing_before=0.3, changing_after=0.4)) == (0.02, 0.01)
    without = row(flicker_before=None, changing_before=0.3, changing_after=0.4)
    assert steadiness(without) == (0.3, 0.4)
    assert steadiness({"status": "open"}) is None


def test_the_summary() -> None:
    rows = [
        row("a", frames=100, seconds=30.0),
        row("b", frames=50, seconds=20.0, flicker_before=0.04, flicker_after=0.05),
        row("c", status="was done"),
        row("d", status="failed", reason="no video"),
        row("e", status="open"),
    ]
    lines = render_summary(rows, 50.0, 2).splitlines()
    assert lines[0] == "3 of 5 videos are done, 1 of them before; 1 set aside; 1 open."
    assert lines[1] == (
        "2 videos in 50 s: 144 an hour, 3.0 frames a second; workers: 2, labelling for 50% of that "
        "time."
    )
    assert "1 of 5 videos are less steady" in lines[2]
    assert [line.split(":")[0] for line in lines[3:]] == ["  d", "  e", "  b"]


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_summary_of_any_number(count: int) -> None:
    rows = [row(f"clip{k}", status="failed", reason="no video") for k in range(count)]
    lines = render_summary(rows, 0.0, 1).splitlines()
    assert len(lines) <= 20
    assert (lines[-1] == "  and 28 more") == (count == 40)
