"""The checks as tests of their own."""

import sys
from collections.abc import Callable

import pytest

from ditta_adapt import InputError, MissingDependencyError
from ditta_adapt.testing import parametrize_with_checks
from ditta_adapt.testing.propagator_suite import PROPAGATOR_RULES
from ditta_adapt.testing.segmenter_suite import SEGMENTER_RULES
from tests.testing.broken_segmenters import GoodSegmenter, Grey, raises
from tests.testing.good_propagator import GoodPropagator
from tests.toys import ToyNet


@parametrize_with_checks([GoodSegmenter], reference=ToyNet().eval())
def test_segmenter(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks([Grey], expected_failures={"channel_order": "grey on purpose"})
def test_segmenter_with_an_expected_failure(check: Callable[[], None]) -> None:
    check()


@parametrize_with_checks([GoodPropagator, lambda: GoodPropagator()])
def test_propagators(check: Callable[[], None]) -> None:
    check()


def marks(decorator: object) -> list[tuple[str, list[str]]]:
    parameters = decorator.args[1]  # type: ignore[attr-defined]
    return [(p.id, [mark.name for mark in p.marks]) for p in parameters]


def test_names_and_marks() -> None:
    found = marks(parametrize_with_checks([Grey], expected_failures={"channel_order": "grey"}))
    assert [name for name, _ in found] == [f"Grey-{rule.name}" for rule in SEGMENTER_RULES]
    assert [name for name, own in found if own == ["xfail"]] == ["Grey-channel_order"]
    found = marks(parametrize_with_checks([lambda: GoodPropagator()]))
    assert [name for name, _ in found] == [f"propagator0-{rule.name}" for rule in PROPAGATOR_RULES]


def test_kind_saves_building_one_while_collecting() -> None:
    assert len(marks(parametrize_with_checks([raises], kind="segmenter"))) == len(SEGMENTER_RULES)
    with pytest.raises(InputError, match="the factory raised OSError"):
        parametrize_with_checks([raises])


def test_wrong_arguments(unchecked: None) -> None:
    with pytest.raises(InputError, match="'nope'"):
        parametrize_with_checks([Grey], expected_failures={"nope": ""})
    with pytest.raises(InputError, match="kind is 'teacher'"):
        parametrize_with_checks([Grey], kind="teacher")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"write \[factory\]"):
        parametrize_with_checks(Grey)  # type: ignore[arg-type]


def test_without_pytest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    with pytest.raises(MissingDependencyError, match="pip install pytest"):
        parametrize_with_checks([Grey])
