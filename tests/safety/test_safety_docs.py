"""The page on safety: its snippet runs, the rules it states are those of the code."""

import re
from pathlib import Path

import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt.safety.acceptance import CONTRADICTION, SHARES
from ditta_adapt.safety.drift_monitor import CUT, SECOND_OPINION, change_limit

PAGE = (Path(__file__).parents[2] / "docs" / "safety.md").read_text("utf-8")


def test_the_snippet_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(snippet, "snippet", "exec"), {})
    assert "a dense vote over 6 frames" in capsys.readouterr().out


def test_the_rules_are_those_of_the_code() -> None:
    assert (CONTRADICTION, CUT) == (0.3, 0.5)
    assert "at most 0.3 times as much" in PAGE
    assert SHARES == (1.0, 0.5, 0.25)
    assert SECOND_OPINION == 16
    assert change_limit(1.0) == 4.0
    assert change_limit(0.0) == 0.1
