"""The guide to writing an adapter: its snippets run, its tables are the rules."""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import espnetv2
from benchmarks.espnetv2 import ESPNetv2
from ditta_adapt import HookedSegmenter
from ditta_adapt.testing import check_segmenter
from ditta_adapt.testing.command import add_parser, run
from ditta_adapt.testing.propagator_suite import PROPAGATOR_RULES
from ditta_adapt.testing.segmenter_suite import SEGMENTER_RULES
from tests.benchmarks.small_espnet import SmallESPNet

GUIDE = (Path(__file__).parents[2] / "docs" / "writing-an-adapter.md").read_text("utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def guide() -> Iterator[dict[str, Any]]:
    """What the snippets define, run in order, with a small network of the same parts."""
    assert len(SNIPPETS) >= 5
    namespace: dict[str, Any] = {"__name__": "guide"}
    with torch.random.fork_rng(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(espnetv2, "ESPNetv2", SmallESPNet)
        torch.manual_seed(0)
        for number, snippet in enumerate(SNIPPETS):
            exec(compile(snippet, f"snippet {number}", "exec"), namespace)
        yield namespace


def test_the_reports_are_green(guide: dict[str, Any]) -> None:
    assert guide["report"].ok
    statuses = {r.name: r.status for r in guide["report"].results if r.status != "passed"}
    assert set(statuses) <= {"reference", "device_moves"}
    assert [mark.name for mark in guide["test_espnet"].pytestmark] == ["parametrize"]


def test_the_command_of_the_guide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = re.search(r"^ditta-adapt (check (my_adapter):\w+)$", GUIDE, flags=re.MULTILINE)
    assert found is not None
    own = [snippet for snippet in SNIPPETS if "check_" not in snippet or "class " in snippet]
    code = "\n".join(own).replace("check_segmenter(make_explicit)", "")
    (tmp_path / "my_adapter.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_adapter", raising=False)
    monkeypatch.setattr(espnetv2, "ESPNetv2", SmallESPNet)
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers(required=True))
    assert run(parser.parse_args(found[1].split())) == 0
    assert "checks: " in capsys.readouterr().out


def hooked(model: ESPNetv2) -> HookedSegmenter:
    return HookedSegmenter(
        model,
        decoder="decoder",
        features="input:decoder.classifier",
        logits=lambda output: output[1],
    )


def test_with_the_real_network(guide: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = ESPNetv2(num_classes=21).eval()
    chosen = ["finite", "channel_order", "batch", "reference", "gradients"]
    for factory in (lambda: guide["ESPNetSegmenter"](model), lambda: hooked(model)):
        report = check_segmenter(factory, reference=model, include=chosen)
        assert {result.status for result in report.results} == {"passed"}


@pytest.mark.parametrize("rules", [SEGMENTER_RULES, PROPAGATOR_RULES])
def test_the_tables_are_the_rules(rules: Any) -> None:
    table = "\n".join(f"| `{rule.name}` | {rule.text} |" for rule in rules)
    assert f"| check | rule |\n|---|---|\n{table}\n" in GUIDE
