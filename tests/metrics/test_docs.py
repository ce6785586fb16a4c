"""The snippet of docs/metrics.md, as a user would type it."""

import re
from pathlib import Path

import pytest

from ditta_adapt import metrics

DOCS = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text("utf-8")


def test_snippets_run(capsys: pytest.CaptureFixture[str]) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", DOCS, flags=re.DOTALL)
    exec(compile(snippet, "docs/metrics.md", "exec"), {"__name__": "docs"})
    assert capsys.readouterr().out == "1.0 1.0 1.0\n"


def test_every_metric_is_described() -> None:
    for name in metrics.__all__:
        if hasattr(getattr(metrics, name), "value") or hasattr(getattr(metrics, name), "miou"):
            assert f"| `{name}(" in DOCS, name
