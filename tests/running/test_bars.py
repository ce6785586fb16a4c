"""How far a run is, on a terminal."""

import io
import sys

import pytest

from ditta_adapt.progress import Progress
from ditta_adapt.running import bars
from ditta_adapt.running.bars import Bars


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(*, shown: bool = True) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", Terminal())
        own = Bars(shown=shown)
        for done in (1, 2):
            own.progress(Progress("predict", done, 2))
        # A run that goes on from frame 8.
        for done in (9, 10):
            own.tick(done, 10)
        own.close()
        return sys.stderr.getvalue()


def test_a_bar_for_each_stage() -> None:
    text = run()
    assert "predicting the warm-up: 100%" in text
    assert "labelling frames: 100%" in text
    assert " 10/10 " in text
    # What was done before a run was stopped is there from the start.
    assert " 8/10 " in text


def test_nothing_where_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(shown=False) == ""
    monkeypatch.setattr(bars, "find_spec", lambda name: None)
    assert run() == ""


def test_a_stream_of_unknown_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    own = Bars(shown=True)
    own.tick(1, None)
    own.tick(2, None)
    own.close()
    assert "labelling frames: 2it" in sys.stderr.getvalue()
