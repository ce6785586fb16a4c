"""The example that hands labels over, against supervision itself."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.io import frame_to_tensor
from examples import to_supervision

LABELS = torch.tensor([[0, 0, 7, 7], [0, 3, 3, 7], [0, 3, 3, 3]])


@pytest.fixture(autouse=True, scope="module")
def library() -> None:
    pytest.importorskip("supervision", reason="supervision is not installed")


def test_a_detection_for_every_class() -> None:
    found = to_supervision.to_supervision(LABELS)
    assert found.class_id.tolist() == [0, 3, 7]
    # From the first column and row to the last, these included.
    assert found.xyxy.tolist() == [[0, 0, 1, 2], [1, 1, 3, 2], [2, 0, 3, 1]]
    assert found.mask.dtype == bool
    for mask, number in zip(found.mask, found.class_id, strict=True):
        assert np.array_equal(mask, LABELS.numpy() == number)
    assert found.area.tolist() == [4, 5, 3]


def test_classes_may_be_left_out() -> None:
    assert to_supervision.to_supervision(LABELS, without=[0, 3]).class_id.tolist() == [7]
    assert len(to_supervision.to_supervision(LABELS, without={0, 3, 7})) == 0


def test_it_draws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_supervision, "render_video", partial(render_video, size=(96, 160)))
    path = tmp_path / "labelled.png"
    assert to_supervision.main(["--out", str(path)]) == 0
    frames, truth = render_video(seed=3, num_frames=12, size=(96, 160))
    frame = frames[-1]
    picture = frame_to_tensor(path).permute(1, 2, 0).numpy().astype(int)
    assert picture.shape == frame.shape
    changed = np.abs(picture - frame).max(2) > 0
    assert changed.mean() > 0.3
    # The sky is not drawn over, but for names: there the picture's colours are those of the frame.
    sky = truth[-1] == CLASS_NAMES.index("sky")
    assert changed[sky].mean() < 0.9
