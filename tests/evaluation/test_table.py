import csv
import io
import math

import pytest
import torch

from ditta_adapt.evaluation import Case, VideoResult, pool, render, to_csv


def result(
    method: str, video: str, confusion: list[list[int]], scores: list[float], **changes: object
) -> VideoResult:
    case = Case(
        method, str(changes.pop("warmup", "10%")), str(changes.pop("corruption", "")), video
    )
    values = {
        "frames": 10,
        "confusion": torch.tensor(confusion),
        "consistency": {8: scores, 16: []},
        "changed": 0.1,
        "adapt_seconds": 2.0,
        "stream_seconds": 0.5,
    }
    return VideoResult(case, **values | changes)  # type: ignore[arg-type]


RESULTS = [
    result("image-model", "a", [[3, 1], [0, 0]], [1.0, 0.5]),
    result("image-model", "b", [[0, 0], [2, 2]], [0.0], stream_seconds=1.5),
    result("ditta", "a", [[4, 0], [0, 0]], [1.0, 1.0]),
    VideoResult(Case("ditta", "10%", "", "b"), error="RuntimeError: no"),
]


def test_pooled_over_videos() -> None:
    iss, ditta = pool(RESULTS)
    # K = [[3, 1], [2, 2]]: IoU 3 / 6 and 2 / 5, each class half of the pixels.
    assert iss.scores["mIoU"] == pytest.approx((3 / 6 + 2 / 5) / 2)
    assert iss.scores["wIoU"] == pytest.approx((3 / 6 + 2 / 5) / 2)
    # Windows weigh the same, not videos.
    assert iss.scores["mVC8"] == pytest.approx(1.5 / 3)
    assert math.isnan(iss.scores["mVC16"])
    assert iss.fps == pytest.approx(20 / 2)
    assert (iss.videos, iss.failed, iss.adapt_seconds) == (2, 0, 2.0)
    assert (ditta.videos, ditta.failed) == (1, 1)
    assert ditta.scores["mIoU"] == 1


def test_the_order_of_results_does_not_matter() -> None:
    third = result("image-model", "c", [[1, 1], [1, 0]], [0.1, 0.7, 0.3], changed=0.3)
    forward = pool([*RESULTS[:2], third])
    backward = pool([third, *RESULTS[1::-1]])
    # NaN is not equal to itself.
    assert repr(forward) == repr(backward)


def test_some_videos_have_a_column_for_what_has_no_counterpart() -> None:
    wide = result("image-model", "c", [[1, 0, 3], [0, 1, 0], [0, 0, 0]], [])
    (row,) = pool([RESULTS[0], wide])
    # K = [[4, 1, 3], [0, 1, 0]]: IoU 4 / 8 and 1 / 2.
    assert row.scores["mIoU"] == pytest.approx(0.5)


def test_terminal_and_markdown() -> None:
    text = render(pool(RESULTS))
    lines = text.splitlines()
    assert " ".join(lines[0].split()) == ("method FPS mIoU @10% wIoU @10% mVC8 @10% mVC16 @10%")
    assert lines[1].split() == ["image-model", "10.00", "45.00", "45.00", "50.00", "–"]
    assert len({len(line) for line in lines[:3]}) == 1
    assert "ditta at 10%: 1 of 2 videos failed and are left out." in text
    markdown = render(pool(RESULTS), markdown=True).splitlines()
    assert markdown[0].startswith("| method | FPS | mIoU @10% |")
    assert markdown[1].count("---") == 6


def test_a_block_a_warmup_and_a_table_a_corruption() -> None:
    more = [
        result("image-model", "a", [[1, 0], [0, 1]], [1.0], warmup="50%"),
        result("image-model", "a", [[1, 1], [1, 1]], [1.0], corruption="contrast:high"),
    ]
    plain, corrupted = render(pool([*RESULTS, *more])).split("Under contrast:high:")
    assert "mIoU @50%" in plain
    iss = plain.splitlines()[1].split()
    assert iss[2:] == ["45.00", "45.00", "50.00", "–", "100.00", "100.00", "100.00", "–"]
    assert plain.splitlines()[2].split()[6:] == ["–"] * 4
    assert corrupted.splitlines()[3].split()[2] == "33.33"


def test_numbers_of_frames_stand_after_shares() -> None:
    warmups = ["8 frames", "100%", "1 frame", "20%"]
    rows = pool(
        [result("image-model", "a", [[1, 0], [0, 1]], [], warmup=warmup) for warmup in warmups]
    )
    heading = render(rows, markdown=True).splitlines()[0]
    order = [cell.partition("@")[2] for cell in heading.split(" | ") if cell.startswith("mIoU")]
    assert order == ["20%", "100%", "1 frame", "8 frames"]


def test_without_labels_only_change_is_shown() -> None:
    bare = result("image-model", "a", [[0, 0], [0, 0]], [], consistency={}, changed=0.0525)
    assert render(pool([bare])).splitlines()[1].split() == ["image-model", "20.00", "5.25"]


def test_csv() -> None:
    rows = list(csv.DictReader(io.StringIO(to_csv(pool(RESULTS)))))
    assert [row["method"] for row in rows] == ["image-model", "ditta"]
    assert float(rows[0]["mVC8"]) == 0.5
    assert rows[1]["failed"] == "1"
