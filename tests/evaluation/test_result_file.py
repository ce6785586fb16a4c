import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.evaluation import Case, VideoResult, pool
from ditta_adapt.evaluation.result_file import ResultFile, read_results
from ditta_adapt.evaluation.scores import Scores

SETTINGS = {"dataset": "toys", "seed": 0, "class_names": ["a", "b"]}


def result(video: str = "a", **changes: object) -> VideoResult:
    values = {
        "frames": 7,
        "confusion": torch.tensor([[3, 0], [1, 2**40]]),
        "consistency": {8: [0.25, 1 / 3], 16: []},
        "changed": 0.125,
        "adapt_seconds": 1.5,
        "stream_seconds": 0.5,
        "note": "adapted",
    }
    return VideoResult(Case("image-model", "10%", "", video), **values | changes)  # type: ignore[arg-type]


def same(first: VideoResult, second: VideoResult) -> bool:
    return json.dumps(first.to_dict()) == json.dumps(second.to_dict())


@given(
    st.lists(st.integers(0, 2**50), min_size=9, max_size=9),
    st.lists(st.floats(0, 1), max_size=4),
    st.floats(0, 1) | st.just(math.nan),
)
def test_json_and_back(counts: list[int], scores: list[float], changed: float) -> None:
    before = result(
        confusion=torch.tensor(counts).view(3, 3), consistency={8: scores}, changed=changed
    )
    after = VideoResult.from_dict(json.loads(json.dumps(before.to_dict())))
    assert torch.equal(after.confusion, before.confusion)
    assert after.consistency == before.consistency
    assert after.case == before.case
    assert after.changed == changed or (math.isnan(changed) and math.isnan(after.changed))


def test_scores_along_borders_once_had_a_field_of_their_own() -> None:
    values = result().to_dict()
    del values["extras"]
    assert VideoResult.from_dict(values).extras == {}
    old = VideoResult.from_dict(values | {"boundary": {"mBIoU": [0.5, 1.0]}})
    assert old.extras == {"mBIoU": [0.5, 1.0]}
    (row,) = pool([old], Scores(("mBIoU",)))
    assert row.scores["mBIoU"] == 0.75


@pytest.mark.parametrize(
    "extras",
    [
        {"TC": {"classes": 2}},
        {"TC": {"classes": 1, "cells": [[1, 1, 5]]}},
        {"J&F": [[[0.5], [2.0]]]},
        {"J&F": [[[], []]]},
        {"mBIoU": 0.5},
        {"PL": []},
        {"unheard-of": 1},
    ],
)
def test_counts_that_cannot_be_pooled_are_refused(extras: dict[str, object]) -> None:
    with pytest.raises(InputError, match="not the result of a video"):
        VideoResult.from_dict(result().to_dict() | {"extras": extras})


def test_results_are_found_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.jsonl"
    first = ResultFile(path, SETTINGS)
    first.add(result("a"))
    first.add(result("b"))
    again = ResultFile(path, SETTINGS)
    assert [r.case.video for r in again] == ["a", "b"]
    assert all(same(x, y) for x, y in zip(again, [result("a"), result("b")], strict=True))
    assert again.is_done(result("a").case, "stop")
    assert not again.is_done(result("c").case, "skip")
    assert all(same(x, y) for x, y in zip(again, read_results(path), strict=True))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_results(tmp_path / "absent")


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_torn_line_is_dropped(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "results.jsonl"
    file = ResultFile(path, SETTINGS)
    file.add(result("a"))
    file.add(result("b"))
    path.write_bytes(path.read_bytes()[:-cut])
    again = ResultFile(path, SETTINGS)
    assert [r.case.video for r in again] == ["a"]
    again.add(result("b"))
    assert [r.case.video for r in ResultFile(path, SETTINGS)] == ["a", "b"]


def test_a_torn_first_line(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"format": 1, "da', encoding="utf-8")
    ResultFile(path, SETTINGS).add(result("a"))
    assert [r.case.video for r in ResultFile(path, SETTINGS)] == ["a"]


def test_a_failure_is_kept_but_not_done(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    file = ResultFile(path, SETTINGS)
    failed = VideoResult(Case("image-model", "10%", "", "a"), error="RuntimeError: no")
    file.add(failed)
    assert not ResultFile(path, SETTINGS).is_done(failed.case, "skip")
    file.add(result("a"))
    (found,) = ResultFile(path, SETTINGS)
    assert not found.error


def test_another_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    ResultFile(path, SETTINGS).add(result())
    before = path.read_bytes()
    with pytest.raises(InputError, match="seed differ, such as 0 there and 1 now"):
        ResultFile(path, SETTINGS | {"seed": 1})
    assert path.read_bytes() == before


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    """In the first one the warm-up was a number: 1.0 for one frame and for the whole video."""
    path = tmp_path / "results.jsonl"
    ResultFile(path, SETTINGS)
    path.write_text(path.read_text().replace('"format": 2', '"format": 1'))
    with pytest.raises(InputError, match="format differ, such as 1 there and 2 now"):
        ResultFile(path, SETTINGS)
    with pytest.raises(InputError, match="is of format 1; expected 2"):
        read_results(path)


@pytest.mark.parametrize("line", ["no json", "[1]", '{"method": "image-model"}'])
def test_other_files_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    ResultFile(path, SETTINGS)
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(InputError):
        ResultFile(path, SETTINGS)
