"""The page on safety: its snippet runs, the rules it states are those of the code."""

import re
from pathlib import Path

import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt import Checks

PAGE = (Path(__file__).parents[2] / "docs" / "safety.md").read_text("utf-8")


def test_the_snippet_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(snippet, "snippet", "exec"), {})
    assert "a dense vote over 6 frames" in capsys.readouterr().out


def test_every_number_of_the_checks_is_in_the_table() -> None:
    """As `name` and its default, so that neither can change alone."""
    for name, value in Checks().to_dict().items():
        if name != "kind":
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            assert f"| `{name}` | {shown} |" in PAGE
