"""Ways to learn a domain: each is one, and labels without looks have none."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks.domain import scenes
from benchmarks.domain.variants import EVERY, OFFSETS, VARIANTS, VotesAlone
from ditta_adapt import AdaptConfig, SecondLook
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from tests.toys import toy_segmenter, toy_video


def test_every_variant_has_a_name_of_its_own_and_differs() -> None:
    assert len(EVERY) == len(VARIANTS) + len(OFFSETS)
    ways = [way for way in EVERY.values() if way is not None]
    assert len({repr(way) for way in ways}) == len(ways)


def test_votes_alone_are_counted_without_looks() -> None:
    seen: list[Any] = []

    def builder(propagator: Any, warm_up: WarmUp, config: Any, progress: Any) -> Targets:
        seen.append(warm_up.looks)
        labels = [torch.zeros(warm_up.size, dtype=torch.int16) for _ in warm_up.frames]
        return Targets(labels, [], {}, True, "one class")

    frames = frames_to_tensors(toy_video(3, (32, 40)))
    warm_up = WarmUp.from_frames(toy_segmenter(), frames, silent).looking(SecondLook())
    for each in (builder, VotesAlone(builder)):
        each(None, warm_up, AdaptConfig(), silent)  # type: ignore[arg-type]
    assert seen[0] is not None
    assert seen[1] is None


def test_gains_are_over_the_image_model_whatever_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its row the program failed at its end, with all others measured."""
    segmenter = toy_segmenter()
    learned = SimpleNamespace(segmenter=segmenter, report=None)
    monkeypatch.setattr(scenes, "shifted_video", lambda seed: seed)
    monkeypatch.setattr(scenes, "clean_video", lambda seed: seed)
    monkeypatch.setattr(scenes, "adapt_to_domain", lambda *known, **options: learned)
    monkeypatch.setattr(scenes, "told", lambda report: {"kept": True, "seconds": 1.0})
    monkeypatch.setattr(scenes, "ImageModel", lambda model: 52.0 if model is segmenter else 50.0)
    monkeypatch.setattr(scenes, "miou", lambda score, video: score)
    monkeypatch.setattr(scenes, "adapted", lambda model, video: 50.0)
    path = tmp_path / "rows.json"
    scenes.scenes(path, [0], ["source-free, norms"])
    assert [row["name"] for row in json.loads(path.read_text("utf-8"))] == [
        "image model",
        "source-free, norms",
    ]
    assert "+2.00" in capsys.readouterr().out
