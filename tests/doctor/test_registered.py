"""Which adapters and data sets can be used."""

import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

import pytest

from ditta_adapt.datasets.opening import DATASETS
from ditta_adapt.doctor import Finding, registered


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.subject: finding for finding in findings}


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Register this alone, in every group."""

    def alone(name: str, value: str) -> None:
        points = [EntryPoint(name, value, "any")]
        monkeypatch.setattr(registered, "entry_points", lambda group: points)

    return alone


def test_all_of_this_library_are_found() -> None:
    assert {"camvid", "demo", "video"} <= set(by_name(registered.datasets()))
    assert {"flow", "sam2", "sam2-hf", "sam2-small"} <= set(by_name(registered.propagators()))
    known = by_name(registered.segmenters())["transformers.SegformerForSemanticSegmentation"]
    assert known.detail == "ditta_adapt.adapters.segformer:SegformerSegmenter"


@pytest.mark.parametrize(
    ("look", "module", "missing", "extra"),
    [
        (
            registered.datasets,
            "PIL",
            {"bdd", "camvid", "cityscapes", "davis", "folder"}
            | {"synthia_seq", "viper", "vipseg", "vspw"},
            "video",
        ),
        (registered.datasets, "av", {"video"}, "video"),
        (registered.datasets, "cv2", {"demo"}, "flow"),
        (registered.propagators, "cv2", {"flow"}, "flow"),
        (registered.propagators, "transformers", {"edgetam", "sam2-hf", "sam2-small"}, "hf"),
        (registered.propagators, "sam2", {"sam2"}, "sam2"),
    ],
)
def test_what_lacks_a_library(
    look: Callable[[], list[Finding]],
    module: str,
    missing: set[str],
    extra: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    before = by_name(look())
    monkeypatch.setitem(sys.modules, module, None)
    after = by_name(look())
    assert {name for name in after if after[name] != before[name]} <= missing
    for name in missing:
        assert after[name].status == "missing"
        assert after[name].remedy.startswith(f"pip install 'ditta-adapt[{extra}]'")


def test_data_sets_say_what_they_need() -> None:
    points = entry_points(group=DATASETS)
    own = {point.name for point in points if point.value.startswith("ditta_adapt.")}
    assert own <= set(registered.NEEDED_LATER)


def test_models_of_an_absent_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "find_spec", lambda _: None)
    findings = by_name(registered.segmenters())
    segformer = findings["transformers.SegformerForSemanticSegmentation"]
    assert (segformer.status, segformer.remedy) == ("missing", "pip install 'ditta-adapt[hf]'")
    stranger = findings["mmseg.EncoderDecoder"]
    assert (stranger.status, stranger.remedy) == ("missing", "")
    assert "mmseg" in stranger.detail


LOOKS = (registered.segmenters, registered.propagators, registered.datasets)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize(
    ("program", "detail"),
    [("1 / 0", "ZeroDivisionError"), ("other = 1", "AttributeError"), ("import gone", "gone")],
)
def test_one_that_cannot_be_loaded_is_a_problem(
    look: Callable[[], list[Finding]],
    program: str,
    detail: str,
    install: Callable[..., None],
    register: Callable[[str, str], None],
) -> None:
    install("toy_adapter", program)
    register("toy_adapter.Net", "toy_adapter:make")
    (finding,) = look()
    assert finding.status == "problem"
    assert detail in finding.detail
    assert "install toy_adapter:make again" in finding.remedy


@pytest.mark.parametrize("look", LOOKS)
def test_a_strangers_is_not_made(
    look: Callable[[], list[Finding]],
    install: Callable[..., None],
    register: Callable[[str, str], None],
) -> None:
    install("toy_adapter", "def make(*_): raise OSError('loads weights')")
    register("toy_adapter.Net", "toy_adapter:make")
    assert look() == [Finding("toy_adapter.Net", "ok", "toy_adapter:make")]
