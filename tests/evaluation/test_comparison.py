import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.evaluation import Case, VideoResult, compare, render_comparison
from ditta_adapt.evaluation.comparison import video_miou


def result(method: str, video: str, right: int, **changes: object) -> VideoResult:
    """A video of class 0 alone, of whose 100 pixels `right` are right: mIoU = right / 100."""
    confusion = torch.tensor([[right, 100 - right], [0, 0]])
    return VideoResult(Case(method, "10%", "", video), confusion=confusion, **changes)  # type: ignore[arg-type]


RESULTS = [
    result("image-model", "a", 50),
    result("image-model", "b", 60),
    result("image-model", "c", 70),
    result("ditta", "a", 80),
    result("ditta", "b", 40),
    VideoResult(Case("ditta", "10%", "", "c"), error="RuntimeError: no"),
]


def test_by_hand() -> None:
    iss, ditta = compare(RESULTS)
    assert (iss.change, iss.worst, iss.better, iss.worse) == (0, 0, 0, 0)
    assert iss.mean == pytest.approx(0.6)
    # Only the two videos that both have.
    assert ditta.mean == pytest.approx(0.6)
    assert ditta.change == pytest.approx((0.3 - 0.2) / 2)
    assert ditta.worst == pytest.approx(-0.2)
    assert (ditta.worst_video, ditta.better, ditta.worse) == ("b", 1, 1)


def test_text() -> None:
    lines = render_comparison(compare(RESULTS)).splitlines()
    assert lines[3].split() == ["ditta", "10%", "60.00", "+5.00", "-20.00", "b", "1", "1"]
    assert "| ditta | 10% | 60.00 |" in render_comparison(compare(RESULTS), markdown=True)


def test_nothing_to_compare_with() -> None:
    assert compare(RESULTS[3:]) == []
    assert render_comparison(compare(RESULTS[:3])) == ""


def test_another_score_and_missing_labels() -> None:
    assert math.isnan(video_miou(VideoResult(Case("image-model", "10%", "", "a"))))
    assert compare(RESULTS, lambda r: math.nan) == []
    _, ditta = compare(
        RESULTS,
        lambda r: {"a": 0.2, "b": 0.4}[r.case.video[:1]] if r.case.video != "c" else math.nan,
    )
    assert ditta.change == 0


@given(st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 100), min_size=1))
def test_a_method_equal_to_the_image_model(scores: dict[str, int]) -> None:
    results = [result(m, v, s) for v, s in scores.items() for m in ("image-model", "same")]
    _, same = compare(results)
    assert (same.change, same.worst, same.better, same.worse) == (0, 0, 0, 0)
