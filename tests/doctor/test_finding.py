"""What looking at something gives."""

import warnings
from collections.abc import Callable

import pytest

from ditta_adapt import MissingDependencyError
from ditta_adapt.doctor.finding import Finding, found


def raising(error: Exception, cause: Exception | None = None) -> Callable[[], str]:
    def look() -> str:
        raise error from cause

    return look


def test_what_can_be_used() -> None:
    assert found("it", lambda: "1.5", "mend it") == Finding("it", "ok", "1.5", "")


@pytest.mark.parametrize("cause", [None, ModuleNotFoundError("no module")])
def test_what_is_missing_says_how_to_install_it(cause: Exception | None) -> None:
    look = raising(MissingDependencyError.for_extra("OpenCV", "flow"), cause)
    finding = Finding(
        "it", "missing", "OpenCV is not installed.", "pip install 'ditta-adapt[flow]'"
    )
    assert found("it", look, "mend it") == finding


@pytest.mark.parametrize("error", [ImportError("no\n  libGL"), RuntimeError("no\n  libGL")])
def test_whatever_is_raised_is_a_problem(error: Exception) -> None:
    finding = Finding("it", "problem", f"{type(error).__name__}: no libGL", "mend it")
    assert found("it", raising(error), "mend it") == finding


def test_a_library_that_fails_is_not_taken_for_a_missing_one() -> None:
    look = raising(MissingDependencyError.for_extra("OpenCV", "flow"), ImportError("no libGL"))
    assert found("it", look, "mend it").detail == "ImportError: no libGL"
    assert found("it", look, "mend it").status == "problem"


def test_what_libraries_say_is_kept_from_standard_output(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def look() -> str:
        print("hello")
        warnings.warn("deprecated", stacklevel=1)
        return "1.5"

    assert found("it", look).status == "ok"
    assert capsys.readouterr() == ("", "hello\n")
