"""Every check fails on an adapter that breaks its rule, and only that check."""

from collections.abc import Callable

import pytest
import torch

from ditta_adapt.testing import CheckReport, check_propagator, check_segmenter
from ditta_adapt.testing.propagator_suite import PROPAGATOR_RULES
from ditta_adapt.testing.segmenter_suite import SEGMENTER_RULES
from tests.testing import broken_propagators, broken_segmenters
from tests.testing.broken_segmenters import (
    Compared,
    ConstantsOnTheCpu,
    GoodSegmenter,
    LeavesOutALayer,
)
from tests.toys import ToyNet

# Breaking these takes more than a factory; they have tests of their own below.
SPECIAL = {"reference", "device_moves"}

pytestmark = pytest.mark.usefixtures("unchecked")


def failing(report: CheckReport) -> set[str]:
    """Names of failed checks; a failure says what was found and what to do."""
    assert all(result.message and result.hint for result in report.failures)
    return {result.name for result in report.failures}


@pytest.mark.parametrize("name", broken_segmenters.BROKEN)
def test_broken_segmenter(name: str) -> None:
    factory, expected = broken_segmenters.BROKEN[name]
    report = check_segmenter(factory, on_fail="report")
    assert failing(report) == expected, report


@pytest.mark.parametrize("name", broken_propagators.BROKEN)
def test_broken_propagator(name: str) -> None:
    factory, expected = broken_propagators.BROKEN[name]
    report = check_propagator(factory, on_fail="report")
    assert failing(report) == expected, report


def test_every_check_fails_on_something() -> None:
    for rules, table, special in (
        (SEGMENTER_RULES, broken_segmenters.BROKEN, SPECIAL),
        (PROPAGATOR_RULES, broken_propagators.BROKEN, set()),
    ):
        caught = special.union(*(expected for _, expected in table.values()))
        assert caught == {rule.name for rule in rules}


def test_the_unbent_ones_pass() -> None:
    report = check_segmenter(Compared, reference=ToyNet().eval())
    assert {r.name for r in report.results if r.status != "passed"} <= {"device_moves"}
    report = check_propagator(broken_propagators.GoodPropagator)
    assert {result.status for result in report.results} == {"passed"}


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        (ToyNet().eval(), "logits of the adapter and of the model itself differ by"),
        (lambda images: ToyNet().eval()(images)[:, :2], "have shapes"),
        (lambda images: [images], "reference returned a list"),
    ],
)
def test_another_forward_pass(reference: Callable[[torch.Tensor], object], said: str) -> None:
    report = check_segmenter(LeavesOutALayer, reference=reference, on_fail="report")
    assert "reference" in failing(report) <= {"reference", "own_forward"}
    assert said in report.failures[0].message


def test_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    # The meta device computes nothing, but it knows what is where: enough to see a mix.
    monkeypatch.setattr(
        "ditta_adapt.testing.segmenter_state_rules.second_device", lambda _: torch.device("meta")
    )
    assert failing(check_segmenter(ConstantsOnTheCpu, on_fail="report")) == {"device_moves"}
    assert failing(check_segmenter(GoodSegmenter, on_fail="report")) == set()
