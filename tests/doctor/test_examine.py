"""What is looked at, all together; and the encoders of PyAV."""

import sys
from collections.abc import Callable
from types import ModuleType

import pytest

from ditta_adapt.doctor import Finding, encoders, examine

# The function has the name of its module, and stands before it.
MODULE = sys.modules["ditta_adapt.doctor.examine"]


@pytest.fixture
def av(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A PyAV with these encoders."""

    def brings(*names: str) -> None:
        fake = ModuleType("av")
        vars(fake).update(codecs_available=names, __version__="18", ffmpeg_version_info="8")
        monkeypatch.setitem(sys.modules, "av", fake)

    return brings


def test_the_hub_is_asked_last_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Finding("hub", "ok", "it answers")
    monkeypatch.setattr(MODULE, "hub", lambda: asked)
    sections = examine()
    assert list(sections)[-1] == "Model hub"
    assert sections.pop("Model hub") == [asked]
    assert all(sections.values())
    monkeypatch.setattr(MODULE, "hub", None)
    assert set(examine(offline=True)) == set(sections)


def test_encoders_that_are_there(av: Callable[..., None]) -> None:
    av("libx264", "libx265")
    assert [finding.status for finding in encoders.encoders()] == ["ok", "ok"]
    assert encoders.encoders()[0].detail == "H.264, which videos are written in, by FFmpeg 8"


def test_an_encoder_that_was_left_out(av: Callable[..., None]) -> None:
    av("libx265")
    first, second = encoders.encoders()
    assert (first.subject, first.status, second.status) == ("libx264", "missing", "ok")
    assert first.detail == "H.264, which videos are written in: PyAV 18 is built without it."
    assert first.remedy.startswith("pip install --force-reinstall")


def test_no_encoder_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for finding in encoders.encoders():
        assert (finding.status, finding.detail) == ("missing", "PyAV is not installed.")
