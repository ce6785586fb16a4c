"""The example that takes a model of mmsegmentation, from files as that library writes them."""

import pprint
import sys
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import wrap
from ditta_adapt.demo.scenes import render_video
from examples import mmsegmentation_model
from tests.adapters.ocrnet_models import HRNET, IMAGENET, NotCompiled, head, old_library, roll_back

SETTINGS = {
    "type": "EncoderDecoder",
    "backbone": HRNET,
    "decode_head": head("FCNHead", num_convs=1),
    "data_preprocessor": {"type": "SegDataPreProcessor", "bgr_to_rgb": True} | IMAGENET,
    "test_cfg": {"mode": "whole"},
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    """A config, a checkpoint that holds more than weights, and the model that is in it."""
    for name in ("mmseg", "mmcv", "mmengine"):
        pytest.importorskip(name)
    if find_spec("mmcv._ext") is None:
        sys.modules.setdefault("mmcv.ops", NotCompiled("mmcv.ops"))
    folder = tmp_path_factory.mktemp("mmseg")
    config, checkpoint = folder / "fcn.py", folder / "fcn.pth"
    config.write_text(f"model = {pprint.pformat(SETTINGS)}\n")
    with old_library():
        from mmseg.apis import init_model

        torch.manual_seed(0)
        model = roll_back(init_model(str(config), device="cpu"))
    meta = {"dataset_meta": {"classes": list("abcde")}, "loss": np.float64(0.5)}
    torch.save({"meta": meta, "state_dict": model.state_dict()}, checkpoint)
    return config, checkpoint, model


def test_the_model_is_the_one_in_the_file(files: tuple[Path, Path, Any]) -> None:
    config, checkpoint, model = files
    with old_library():
        loaded = mmsegmentation_model.load_model(config, checkpoint)
    assert not loaded.training
    frame = render_video(seed=3, num_frames=1, size=(96, 160))[0][0]
    labels = wrap(loaded)(frame)
    assert torch.equal(labels, wrap(model)(frame))
    assert len(labels.unique()) > 1


def test_it_adapts_and_reports(
    files: tuple[Path, Path, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, checkpoint, _ = files
    small = partial(render_video, size=(96, 160))
    monkeypatch.setattr(mmsegmentation_model, "render_video", small)
    with old_library():
        options = [str(config), str(checkpoint), "--warmup", "4", "--device", "cpu"]
        assert mmsegmentation_model.main(options) == 0
    printed = capsys.readouterr().out
    assert "4 warm-up frames" in printed
    assert "5 classes" in printed
    assert "12 frames seen" in printed
