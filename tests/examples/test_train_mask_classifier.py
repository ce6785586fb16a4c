"""The example that trains a classifier of masks, on as little as it takes to run."""

from functools import partial
from pathlib import Path

import pytest

from ditta_adapt.baselines.mask_classifier import MaskClassifier
from ditta_adapt.demo.scenes import render_video
from examples import train_mask_classifier


def test_it_trains_saves_and_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "masks.safetensors"
    options = ["--videos", "1", "--held-out", "1", "--frames", "2", "--points", "3"]
    small = partial(render_video, size=(64, 112))
    monkeypatch.setattr(train_mask_classifier, "render_video", small)
    options += ["--propagator", "flow"]
    monkeypatch.setattr("sys.argv", ["program", "--out", str(path), *options])
    train_mask_classifier.main()
    assert MaskClassifier.load(path).num_classes == 9
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("trained on features of the segmenter")
    assert [line.partition("mIoU")[0].strip() for line in lines[1:]] == [
        "image model",
        "masks alone",
        "masks over the image model",
    ]
