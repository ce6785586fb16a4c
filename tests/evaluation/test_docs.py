"""The page on evaluation: its snippet runs, its tables are complete."""

import argparse
import re
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt.corruptions import corruption_names
from ditta_adapt.datasets.opening import dataset_names
from ditta_adapt.demo import scenes
from ditta_adapt.evaluation import method_names
from ditta_adapt.evaluation.command import add_parser
from ditta_adapt.evaluation.scores import CHANGED, DEFAULT_SCORES, EXTRA_NAMES

PAGE = (Path(__file__).parents[2] / "docs" / "evaluating.md").read_text("utf-8")


def test_the_snippets_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scenes, "render_video", partial(scenes.render_video, size=(64, 112)))
    for snippet in re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL):
        exec(compile(snippet, "snippet", "exec"), {})
    assert "mIoU @50%" in capsys.readouterr().out


def test_every_method_is_there() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PAGE.partition("## Methods")[2], flags=re.MULTILINE)
    named: set[str] = set()
    for row in rows:
        first, *others = re.findall(r"`(.+?)`", row)
        named.add(first)
        # A name that starts with a dash is the first one with another ending.
        named |= {
            re.sub(r"-A$|$", other, first, count=1) if other.startswith("-") else other
            for other in others
        }
    with_colon = {
        *("predictions:DIR", "package.module:factory"),
        *("refined:METHOD", "refiner:KEY=VALUE,..."),
    }
    assert named == {*method_names(), *with_colon}


def test_every_option_and_data_set_is_there() -> None:
    commands = argparse.ArgumentParser().add_subparsers()
    add_parser(commands)
    options = {
        option
        for action in commands.choices["eval"]._actions
        for option in action.option_strings
        if option.startswith("--") and option != "--help"
    }
    table = PAGE.partition("| option |")[2].partition("\n\n")[0]
    assert set(re.findall(r"--[a-z]+(?:-[a-z]+)*", table)) == options
    assert all(f"`{name}`" in table for name in dataset_names())


def test_every_score_is_there() -> None:
    (row,) = re.findall(r"^\| `--metrics` \| (.*) \|$", PAGE, flags=re.MULTILINE)
    named = {word for code in re.findall(r"`(.+?)`", row) for word in code.split()}
    assert named == {*DEFAULT_SCORES, *EXTRA_NAMES, "mVC32", "mAcc", CHANGED}


def test_every_corruption_is_there() -> None:
    part = PAGE.partition("## Corruptions")[2].partition("## ")[0]
    assert all(f"`{name}`" in part for name in corruption_names(include_styles=False))
