"""Which libraries there are, and whether they can be imported."""

import re
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, requires
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from ditta_adapt.doctor import Finding, libraries
from ditta_adapt.doctor.libraries import unmet

VERSIONS = st.lists(st.integers(0, 20), min_size=1, max_size=3).map(lambda n: ".".join(map(str, n)))


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Finding]:
    """The finding about the one library that this library asks for."""

    def looked(module: str, requirement: str = "") -> Finding:
        monkeypatch.setattr(libraries, "_CORE", ())
        monkeypatch.setattr(libraries, "_OTHERS", {})
        monkeypatch.setattr(libraries, "LIBRARIES", {module: ("Toy", "flow")})
        monkeypatch.setattr(libraries, "requires", lambda _: [requirement or "torch"])
        return libraries.libraries()[2]

    return looked


def test_the_core_is_here() -> None:
    statuses = {finding.subject: finding.status for finding in libraries.libraries()}
    for subject in ("ditta-adapt", "Python", "torch", "numpy", "safetensors", "jaxtyping"):
        assert statuses[subject] == "ok"
    assert {"OpenCV", "PyAV", "Pillow", "transformers", "SciPy", "sam2"} <= set(statuses)


def test_a_library_that_can_be_imported(
    install: Callable[..., None], only: Callable[..., Finding]
) -> None:
    install("toy_library")
    assert only("toy_library", "Toy.Library>=1.5; extra == 'flow'") == Finding("Toy", "ok", "1.5")


def test_a_library_that_is_not_installed(only: Callable[..., Finding]) -> None:
    finding = only("no_such_library")
    assert (finding.status, finding.remedy) == ("missing", "pip install 'ditta-adapt[flow]'")


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("import no_such_library", "ModuleNotFoundError: No module named 'no_such_library'"),
        ("raise ImportError('no libGL')", "ImportError: no libGL"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_a_library_that_fails_on_import(
    install: Callable[..., None], only: Callable[..., Finding], program: str, detail: str
) -> None:
    install("toy_library", program)
    finding = only("toy_library")
    assert (finding.status, finding.detail) == ("problem", detail)
    assert finding.remedy.endswith("pip install --force-reinstall --no-deps toy_library")


def test_a_library_of_a_version_that_is_not_supported(
    install: Callable[..., None], only: Callable[..., Finding]
) -> None:
    install("toy_library", version="1.5")
    finding = only("toy_library", 'toy-library>=1.12,<3; extra == "flow"')
    assert finding == Finding(
        "Toy", "problem", "1.5; expected >=1.12", "pip install 'toy-library>=1.12,<3'"
    )


@pytest.mark.parametrize(
    ("program", "detail"),
    [
        ("raise RuntimeError('operator torchvision::nms does not exist')", "operator"),
        ("class ops:\n    def nms(*_):\n        raise RuntimeError('no C++ ops')", "no C++ ops"),
        ("", "has no attribute 'ops'"),
    ],
)
def test_a_torchvision_without_its_operators(
    install: Callable[..., None], program: str, detail: str
) -> None:
    install("torchvision", program)
    finding = libraries.libraries()[-1]
    assert (finding.subject, finding.status) == ("torchvision", "problem")
    assert detail in finding.detail
    assert "pip uninstall torchvision" in finding.remedy


def test_a_torchvision_that_works(install: Callable[..., None]) -> None:
    install("torchvision", "class ops:\n    def nms(*_): return 0")
    assert libraries.libraries()[-1] == Finding("torchvision", "ok", "1.5")


def test_a_checkout_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(libraries, "requires", absent)
    finding = libraries.libraries()[0]
    assert (finding.subject, finding.status) == ("ditta-adapt", "problem")
    assert "pip install -e ." in finding.remedy


@given(VERSIONS, VERSIONS, VERSIONS)
def test_bounds_are_read_as_pip_reads_them(installed: str, lower: str, upper: str) -> None:
    kept = SpecifierSet(f">={lower},<{upper}").contains(installed)
    assert (unmet(installed, f"toy>={lower},<{upper}; extra == 'hf'") == "") == kept
    assert (unmet(installed, f"toy<{upper}") == "") == SpecifierSet(f"<{upper}").contains(installed)


def test_requirements_have_no_other_bounds() -> None:
    for line in requires("ditta-adapt") or []:
        signs = re.findall("[<>=~!]+", line.partition(";")[0])
        assert set(signs) <= {">=", "<"}
