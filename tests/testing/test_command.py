"""The command `ditta-adapt check`."""

import argparse
import sys
from pathlib import Path

import pytest

from ditta_adapt import InputError
from ditta_adapt.testing.command import add_parser, run

ADAPTERS = """
import torch
from ditta_adapt import HookedSegmenter, SegmenterOutput
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator as Teacher

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.head = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Conv2d(8, 4, 1))

    def forward(self, images):
        return self.head(self.backbone(images))

def make():
    # Found only while the command runs.
    import helper_of_my_adapter
    return HookedSegmenter(Net(), decoder="head", features="head.0")

def wrong():
    class Wrong(HookedSegmenter):
        num_classes = 9

    return Wrong(Net(), decoder="head", features="head.0")

def fails():
    raise OSError("no weights")

def neither():
    return 3

instance = HookedSegmenter(Net(), decoder="head", features="head.0")
teacher = Teacher()

class Box:
    make = staticmethod(make)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_adapter.py").write_text(ADAPTERS)
    (tmp_path / "helper_of_my_adapter.py").write_text("")
    (tmp_path / "broken_module.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    for name in ("my_adapter", "helper_of_my_adapter", "broken_module"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def command(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    return run(parser.parse_args(["check", *arguments]))


@pytest.mark.parametrize(
    ("spec", "count"), [("make", 29), ("Box.make", 29), ("Teacher", 21)], ids=str
)
def test_green(spec: str, count: int, capsys: pytest.CaptureFixture[str]) -> None:
    path = list(sys.path)
    assert command(f"my_adapter:{spec}") == 0
    assert f"{count} checks: " in capsys.readouterr().out
    assert sys.path == path


def test_red(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("my_adapter:wrong") == 1
    assert "num_classes is 9" in capsys.readouterr().out


def test_given_kind_reports_what_cannot_be_built(capsys: pytest.CaptureFixture[str]) -> None:
    for spec, said in (("fails", "OSError: no weights"), ("neither", "lacks one of")):
        assert command("--kind", "segmenter", f"my_adapter:{spec}") == 1
        assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("my_adapter", "expected package.module:factory"),
        ("my_adapter:", "expected package.module:factory"),
        ("no_such_module:make", "cannot import 'no_such_module': ModuleNotFoundError"),
        ("broken_module:make", "cannot import 'broken_module': ZeroDivisionError"),
        ("my_adapter:mak", r"has no 'mak'; it has .*'make'"),
        ("my_adapter:make.deeper", "has no 'make.deeper'"),
        ("my_adapter:instance", "is a HookedSegmenter; expected a function or class"),
        ("my_adapter:teacher", "is a OpticalFlowPropagator; expected a function or class"),
        ("my_adapter:fails", "the factory raised OSError: no weights"),
        ("my_adapter:neither", "the factory returned a int; expected a segmenter"),
    ],
)
def test_wrong_factories(spec: str, match: str) -> None:
    path = list(sys.path)
    with pytest.raises(InputError, match=match):
        command(spec)
    assert sys.path == path


def test_a_model_is_checked_in_place_of_an_adapter(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--model", "my_adapter:Net") == 0
    assert "29 checks: " in capsys.readouterr().out


@pytest.mark.parametrize("line", [("--model", "my_adapter:Net"), ("my_adapter:make",)])
def test_it_explains(line: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert command("--explain", *line) == 0
    shown = capsys.readouterr().out
    for row in ("model     Net, by HookedSegmenter", "classes   4", "adapted   head"):
        assert row in shown
    assert "checks" not in shown


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ((), "give either"),
        (("my_adapter:make", "--model", "demo"), "give either"),
        (("--explain", "my_adapter:Teacher"), "--explain is about segmenters"),
        (("--model", "no_such_package:make"), "there is no package 'no_such_package'"),
    ],
)
def test_what_there_is_to_check_is_clear(line: tuple[str, ...], match: str) -> None:
    with pytest.raises(InputError, match=match):
        command(*line)
