"""The command `ditta-adapt doctor`."""

import argparse
import json
from collections.abc import Sequence

import pytest

from ditta_adapt.doctor import Finding, command

GOOD = Finding("torch", "ok", "2.13")
ABSENT = Finding("OpenCV", "missing", "OpenCV is not installed.", "pip install it")
BROKEN = Finding("torchvision", "problem", "no operators", "pip uninstall torchvision")


def doctor(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers(required=True))
    return command.run(parser.parse_args(["doctor", *arguments]))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the hub is left alone, of each time that the machine is looked at."""
    calls: list[bool] = []

    def examine(*, offline: bool) -> dict[str, list[Finding]]:
        calls.append(offline)
        return {"Libraries": [GOOD, ABSENT], "Devices": [BROKEN]}

    monkeypatch.setattr(command, "examine", examine)
    return calls


@pytest.mark.parametrize(
    ("findings", "status"),
    [((), 0), ((GOOD,), 0), ((GOOD, ABSENT), 0), ((GOOD, BROKEN), 1), ((ABSENT, BROKEN), 1)],
)
def test_only_what_is_broken_is_a_failure(
    findings: Sequence[Finding], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "examine", lambda **_: {"All": list(findings), "None": []})
    assert doctor() == status
    assert doctor("--json") == status


def test_a_line_each_and_below_it_what_to_do(
    asked: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    doctor()
    assert capsys.readouterr().out.splitlines() == [
        "Libraries",
        "  + torch   2.13",
        "  - OpenCV  OpenCV is not installed.",
        "            -> pip install it",
        "Devices",
        "  ! torchvision  no operators",
        "                 -> pip uninstall torchvision",
        "+ 1 ok, - 1 missing, ! 1 problem",
    ]
    assert asked == [False]


def test_json(asked: list[bool], capsys: pytest.CaptureFixture[str]) -> None:
    doctor("--json", "--offline")
    rows = json.loads(capsys.readouterr().out)
    assert rows[2] == {
        "section": "Devices",
        "subject": "torchvision",
        "status": "problem",
        "detail": "no operators",
        "remedy": "pip uninstall torchvision",
    }
    assert len(rows) == 3
    assert asked == [True]


def test_this_machine(capsys: pytest.CaptureFixture[str]) -> None:
    status = doctor("--json", "--offline")
    rows = json.loads(capsys.readouterr().out)
    assert status == any(row["status"] == "problem" for row in rows)
    assert {"torch", "CPU", "flow", "camvid", "libx264"} <= {row["subject"] for row in rows}
