"""The summary of a run, by hand."""

import pytest
import torch

from benchmarks.methods import by_video, consistency, object_iou, summary
from ditta_adapt.evaluation import VideoResult
from ditta_adapt.evaluation.result import Case


def result(method: str, video: str, hit: int, missed: int, windows: list[float]) -> VideoResult:
    """Of one object: pixels that were hit, and pixels that were missed."""
    return VideoResult(
        Case(method, "10%", "", video),
        frames=2,
        confusion=torch.tensor([[0, 0], [missed, hit]]),
        consistency={8: windows, 16: []},
        adapt_seconds=1.0,
        stream_seconds=4.0,
    )


RESULTS = [
    result("image-model", "a", 6, 4, [0.5, 0.7]),
    result("image-model", "b", 8, 2, [0.8]),
    result("ditta", "a", 9, 1, [0.9, 0.9]),
    result("ditta", "b", 7, 3, [0.7]),
]


def test_scores_of_a_video() -> None:
    assert object_iou(RESULTS[0]) == pytest.approx(0.6)
    assert consistency(RESULTS[0]) == pytest.approx(0.6)


def test_summary() -> None:
    cells = [line.split("|")[1:-1] for line in summary(RESULTS, "IoU").splitlines()]
    rows = {row[0].strip(): [cell.strip() for cell in row[1:]] for row in cells}
    # IoU .9 and .7 against .6 and .8; mVC8 .9 and .7 against .6 and .8, video by video.
    assert rows["ditta"] == ["10%", "0.800", "+0.100", "-0.100", "+0.100", "0.5", "1.0"]


def test_changes_by_video() -> None:
    (line,) = [line for line in by_video(RESULTS, "IoU").splitlines() if "ditta" in line]
    assert [cell.strip() for cell in line.split("|")[1:-1]] == ["ditta", "10%", "+0.300", "-0.100"]
