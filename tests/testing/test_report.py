"""What a run of the checks returns, raises and prints."""

import subprocess
import sys
from collections.abc import Callable

import pytest

import ditta_adapt.testing
from ditta_adapt import DittaError, InputError, ShapeError
from ditta_adapt.testing import (
    CheckReport,
    CheckResult,
    ConformanceError,
    check_propagator,
    check_segmenter,
    propagator_checks,
    segmenter_checks,
)
from ditta_adapt.testing.propagator_suite import PROPAGATOR_RULES
from ditta_adapt.testing.segmenter_suite import SEGMENTER_RULES
from tests.testing.broken_segmenters import (
    GoodSegmenter,
    Grey,
    WrongClassCount,
    WrongFeatureCount,
    raises,
)
from tests.testing.good_propagator import GoodPropagator
from tests.toys import toy_video


class WrongCounts(WrongClassCount, WrongFeatureCount):
    pass


def by_name(report: CheckReport) -> dict[str, CheckResult]:
    return {result.name: result for result in report.results}


def test_raising_lists_all_failures() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_segmenter(WrongCounts)
    message = str(caught.value)
    assert isinstance(caught.value, DittaError)
    assert "WrongCounts fails 2 of 29 checks" in message
    assert "num_classes: logits have 4 channels; num_classes is 21. Make num_classes" in message
    assert "feature_dim: features have 6 channels; feature_dim is 256." in message


def test_reporting_never_raises() -> None:
    for check in (check_segmenter, check_propagator):
        results = by_name(check(raises, on_fail="report"))
        assert results["builds"].status == "failed"
        assert "raised OSError: no weights" in results["builds"].message
        assert "in raises)" in results["builds"].message
        assert results["builds"].hint
        others = [result for name, result in results.items() if name != "builds"]
        assert {result.status for result in others} == {"skipped"}
        assert {result.message for result in others} == {"needs builds, which failed"}


def test_expected_failure() -> None:
    report = check_segmenter(Grey, expected_failures={"channel_order": "trained on grey"})
    result = by_name(report)["channel_order"]
    assert result.status == "expected_failure"
    assert result.message.startswith("trained on grey (the logits of RGB")
    assert report.ok
    assert report.failures == ()


def test_stale_expectation_is_a_failure() -> None:
    with pytest.raises(ConformanceError, match=r"batch: was expected to fail \(why\) but passes"):
        check_segmenter(GoodSegmenter, expected_failures={"batch": "why"})
    report = check_segmenter(GoodSegmenter, expected_failures={"finite": "why"}, on_fail="report")
    # What passes holds nothing else up.
    assert [result.name for result in report.failures] == ["finite"]
    assert by_name(report)["batch"].status == "passed"


def test_expectation_of_a_skipped_check_is_not_stale() -> None:
    report = check_segmenter(GoodSegmenter, expected_failures={"reference": "not at hand"})
    assert by_name(report)["reference"].status == "skipped"


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: check_segmenter(GoodSegmenter, expected_failures={"nope": ""}), "'nope'.*builds"),
        (lambda: check_propagator(GoodPropagator, include=["nope"]), r"include names \['nope'\]"),
        (lambda: check_segmenter(GoodSegmenter, on_fail="warn"), "on_fail is 'warn'"),
        (lambda: check_segmenter(GoodSegmenter()), "factory is a GoodSegmenter"),
        (lambda: check_propagator(GoodPropagator()), "factory is a GoodPropagator"),
        (lambda: check_segmenter(GoodSegmenter, frames=toy_video(1)), "two different"),
    ],
)
def test_wrong_arguments(unchecked: None, call: Callable[[], object], match: str) -> None:
    with pytest.raises(InputError, match=match):
        call()


def test_malformed_frames() -> None:
    with pytest.raises(ShapeError, match="frame 0"):
        check_segmenter(GoodSegmenter, frames=[frame[0] for frame in toy_video(2)])


def test_only_some_checks() -> None:
    report = check_segmenter(GoodSegmenter, include=["batch", "finite"])
    assert [result.name for result in report.results] == ["finite", "batch"]


def test_table() -> None:
    report = check_segmenter(Grey, on_fail="report")
    lines = str(report).splitlines()
    assert lines[0] == "Grey"
    assert lines[1].split() == ["builds", "passed", lines[1].split()[2], "s"]
    row = next(i for i, line in enumerate(lines) if line.startswith("  channel_order"))
    assert "failed" in lines[row]
    assert "BGR are the same" in lines[row + 1]
    assert "no conversion to grey" in lines[row + 2]
    counts = [result.status for result in report.results]
    assert lines[-1].startswith("29 checks: ")
    assert f"{counts.count('passed')} passed" in lines[-1]
    assert "1 failed" in lines[-1]
    assert all(result.seconds >= 0 for result in report.results)


def test_checks_as_functions() -> None:
    checks = dict(segmenter_checks(Grey))
    assert list(checks) == [rule.name for rule in SEGMENTER_RULES]
    checks["finite"]()
    assert checks["finite"].__doc__ == "Features and logits have neither NaN nor infinity."
    with pytest.raises(AssertionError, match="no conversion to grey"):
        checks["channel_order"]()
    checks = dict(propagator_checks(GoodPropagator))
    assert list(checks) == [rule.name for rule in PROPAGATOR_RULES]
    checks["ids"]()


def test_rules_are_documented_and_stand_after_their_needs() -> None:
    for rules in (SEGMENTER_RULES, PROPAGATOR_RULES):
        names = [rule.name for rule in rules]
        assert len(set(names)) == len(names)
        for number, rule in enumerate(rules):
            assert rule.text.endswith(".")
            assert rule.hint.endswith(".")
            assert set(rule.needs) <= set(names[:number])


def test_public_names() -> None:
    assert sorted(ditta_adapt.testing.__all__) == ditta_adapt.testing.__all__
    assert all(hasattr(ditta_adapt.testing, name) for name in ditta_adapt.testing.__all__)


def test_importing_needs_no_test_runner() -> None:
    program = (
        "import sys, ditta_adapt.testing, ditta_adapt.testing.command\n"
        "print({'pytest', 'transformers', 'cv2'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"
