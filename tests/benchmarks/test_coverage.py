"""The table of networks: what it tries holds, and it can fail."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.coverage import __main__ as program
from benchmarks.coverage import measure as measured
from benchmarks.coverage import mmseg_networks, research_networks, transformers_networks
from benchmarks.coverage.network import Network, plain_scores
from ditta_adapt.models.registry import find_segmenter

pytestmark = pytest.mark.usefixtures("unchecked")

pytest.importorskip("scipy", reason="transformers builds models with queries only with scipy")
pytest.importorskip("mmseg", reason="mmsegmentation is not installed")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    NETWORKS = [
        *research_networks.networks(),
        *transformers_networks.networks(),
        *mmseg_networks.networks(),
    ]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda each: f"{each.library}, {each.name}")
def test_it_is_as_it_should_be(network: Network) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row = measured.measure(network, conformance=False)
    assert row.right, row


class Shifted(research_networks.FlatUNet):
    """What is compared with has its classes in another order."""


def shifted(model: nn.Module, images: Tensor) -> Tensor:
    return plain_scores(model, images).roll(1, 1)


def test_other_labels_are_seen() -> None:
    network = Network("research", "shifted", lambda: Shifted().eval(), own=shifted)
    row = measured.measure(network, conformance=False)
    assert row.found
    assert row.disagreement > 0.5
    assert not row.right
    assert "1 of them silently different" in program.summary([row])


def test_a_changed_weight_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    model = research_networks.FlatUNet().eval()
    segmenter = find_segmenter(model)
    measured.adapt_and_stream(segmenter, model)

    class Meddling:
        def __init__(self, own: Any) -> None:
            self._own = own

        def __getattr__(self, name: str) -> Any:
            return getattr(self._own, name)

        def __call__(self, frame: Any) -> Tensor:
            with torch.no_grad():
                model.one[0].weight.add_(1)
            labels: Tensor = self._own(frame)
            return labels

    real = measured.wrap
    monkeypatch.setattr(measured, "wrap", lambda *args, **options: Meddling(real(*args, **options)))
    with pytest.raises(RuntimeError, match=r"one.0.weight of the network itself was changed"):
        measured.adapt_and_stream(segmenter, model)


def mine() -> dict[str, Any]:
    return {"theirs": research_networks.PixelShuffle}


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    out = tmp_path / "rows.json"
    line = ["--libraries", "research", "--only", "named tuple", "--no-conformance"]
    more = ["--more", "tests.benchmarks.test_coverage:mine", "--json", str(out)]
    monkeypatch.setattr("sys.argv", ["coverage", *line, *more])
    assert program.main() == 0
    rows = json.loads(out.read_text())
    assert [row["name"] for row in rows] == ["named tuple", "theirs"]
    assert "2 networks: 2 wrapped with nothing named" in capsys.readouterr().out
