"""The page on many videos: its snippets run, its tables name every option and every metric."""

import argparse
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ditta_adapt.batch import engines, metrics
from ditta_adapt.batch.manifest import options_of, read_manifest
from ditta_adapt.batch.summary import to_parquet
from ditta_adapt.running.options import read_options

PAGE = (Path(__file__).parents[2] / "docs" / "batch.md").read_text("utf-8")


def test_the_snippets_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    row = {"name": "dark", "video": "dark.mp4", "status": "failed", "reason": "no video"}
    (tmp_path / "results" / "results.parquet").write_bytes(to_parquet([row]))
    table, program = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(table, "batch.md", "exec"), {})
    assert capsys.readouterr().out == "dark no video\n"
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "one.bin").write_bytes(b"1")
    (tmp_path / "two.bin").write_bytes(b"22")
    done = subprocess.run(
        [sys.executable, "program.py"], check=True, capture_output=True, text=True
    )
    assert done.stdout.count("kind='done'") == 2
    assert (tmp_path / "sizes" / "two" / "size.txt").read_text() == "2"


def test_the_manifests_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (content,) = re.findall(r"```csv\n(.*?)```", PAGE, flags=re.DOTALL)
    # What reads it is not installed here.
    (tmp_path / "videos.csv").write_text(content.replace("s3://", "file:///"))
    entries = read_manifest(["videos.csv"])
    assert [entry.name for entry in entries] == ["a", "tuesday-a", "b"]
    (line,) = re.findall(r"`(\{\"video\".*?\})`", PAGE)
    (tmp_path / "videos.jsonl").write_text(f"{line}\n")
    (entry,) = read_manifest(["videos.jsonl"])
    assert options_of(entry, read_options(["--model", "demo"])).no_report


def test_every_option_of_engines_is_there() -> None:
    parser = argparse.ArgumentParser()
    engines.add_engine_options(parser)
    options = {word for action in parser._actions for word in action.option_strings}
    assert all(option in PAGE for option in options - {"-h", "--help"})


def test_every_metric_is_there() -> None:
    named = set(re.findall(r'"(ditta_batch_\w+)"', inspect.getsource(metrics)))
    shown = set(re.findall(r"`ray_(ditta_batch_\w+)`", PAGE))
    assert {name.removesuffix("_total") for name in shown} == named


def test_extras_are_declared() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.M) for extra in ("batch", "ray", "remote"))
    assert os.path.isdir(Path(__file__).parents[2] / "examples" / "cluster")
