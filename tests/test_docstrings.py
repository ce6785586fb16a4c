"""Examples in docstrings run, but for those that say they need more than they show."""

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest
import torch

ROOT = Path(__file__).parents[1]
FILES = [path for path in (ROOT / "ditta_adapt").rglob("*.py") if ">>>" in path.read_text("utf-8")]
SKIPPED = "# doctest: +SKIP"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_examples_run(path: Path) -> None:
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    result = doctest.testmod(module, extraglobs={"np": np, "torch": torch})
    assert result.failed == 0
    # Seen by the finder: one in a docstring that it does not reach would never run.
    assert result.attempted > 0 or SKIPPED in path.read_text("utf-8")


def test_some_run() -> None:
    assert any(SKIPPED not in path.read_text("utf-8") for path in FILES)
