"""The page on data sets: its snippets run, its table is complete."""

import inspect
import re
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ditta_adapt.datasets import LabelledVideo, VideoDataset
from ditta_adapt.datasets.opening import DATASETS

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text("utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def test_your_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    assert len(SNIPPETS) == 2
    (tmp_path / "recordings").mkdir()
    frames = np.zeros((3, 4, 5, 3), np.uint8)
    truth = np.array([[0, 1, 1, -1, -1]] * 4)
    np.savez(tmp_path / "recordings" / "walk.npz", frames=frames, truth=truth)
    assert SNIPPETS[0].startswith("# my_data.py\n")
    (tmp_path / "my_data.py").write_text(SNIPPETS[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_data", raising=False)
    namespace: dict[str, Any] = {"np": np}
    exec(compile(SNIPPETS[1], "snippet", "exec"), namespace)
    assert isinstance(namespace["dataset"], VideoDataset)
    assert isinstance(namespace["video"], LabelledVideo)
    assert capsys.readouterr().out == "walk 3 [  0   1 255]\n"
    assert [labels is None for labels in namespace["video"].labels] == [False, True, True]


def test_the_table_is_complete() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", PAGE, flags=re.MULTILINE))
    points = {point.name: point for point in entry_points(group=DATASETS)}
    assert set(rows) == set(points)
    for name, point in points.items():
        options = list(inspect.signature(point.load()).parameters)[1:]
        assert re.findall(r"`(\w+)", rows[name]) == options
