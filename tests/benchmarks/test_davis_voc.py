"""The DAVIS-VOC program on a tiny data set, and its protocol by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import davis_voc as program
from benchmarks.davis import data_root, davis_voc
from ditta_adapt.datasets import LabelledVideo
from tests.benchmarks.small_espnet import SmallESPNet
from tests.toys import toy_video

FRAMES = toy_video(12, size=(32, 48))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two videos in DAVIS's layout, and a network with random weights."""
    for name in ("first", "second"):
        for kind in ("JPEGImages", "Annotations"):
            (tmp_path / "davis" / kind / "480p" / name).mkdir(parents=True)
        for t, frame in enumerate(FRAMES):
            folder = tmp_path / "davis"
            Image.fromarray(frame).save(folder / "JPEGImages/480p" / name / f"{t:05d}.jpg")
            mask = np.zeros((32, 48), np.uint8)
            mask[8:20, 10 + t : 24 + t] = 255
            Image.fromarray(mask).save(folder / "Annotations/480p" / name / f"{t:05d}.png")
    (tmp_path / "videos.toml").write_text('first = ["car"]\nsecond = ["dog", 15]\n')
    torch.manual_seed(0)
    monkeypatch.setattr(program, "load_espnetv2", lambda path: SmallESPNet().eval())
    monkeypatch.setattr(program, "INPUT_SIZE", (32, 48))
    return tmp_path


def run(root: Path, *options: str) -> list[dict[str, object]]:
    arguments = ["--root", str(root), "--manifest", str(root / "videos.toml"), "--weights", "none"]
    program.main([*arguments, "--json", str(root / "rows.json"), *options])
    rows: list[dict[str, object]] = json.loads((root / "rows.json").read_text())
    return rows


def test_rows_of_every_method(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = run(root, "--warmup", "0.1", "0.5", "--stride", "2")
    keys = {"video", "method", "warmup", "iou", "mvc8", "ms_per_frame"}
    assert all(set(row) == keys for row in rows)
    found = [(row["video"], row["warmup"], row["method"]) for row in rows]
    methods = ("iss", "adapted", "adapted_no_addon")
    assert found == [(v, w, m) for v in ("first", "second") for w in (0.1, 0.5) for m in methods]
    printed = capsys.readouterr().out
    assert printed.count("mean ") == 6
    assert "adaptation, per warm-up frame: predict" in printed


def test_without_adaptation_every_frame_is_scored_by_the_image_model(root: Path) -> None:
    rows = run(root, "--warmup", "0")
    assert [(row["video"], row["method"]) for row in rows] == [("first", "iss"), ("second", "iss")]


def test_score_by_hand() -> None:
    """Foreground = the set of classes; sums over frames before the division."""
    labels = [np.array([[1] * 4, [0] * 4], np.uint8)] * 10
    table = np.zeros(21, int)
    table[[3, 5]] = 1
    video = LabelledVideo("v", [np.zeros((2, 4, 3), np.uint8)] * 10, labels, table)
    answers = iter([torch.tensor([[3, 5, 0, 0], [3, 1, 1, 1]])] * 4 + [torch.ones(2, 4).long()] * 4)
    row = program.score(video, 2, "adapted", 0.2, lambda frame: next(answers))
    # Four frames: 2 hit of 4 + 1; four frames: 0 of 4.
    assert row.iou == pytest.approx(4 * 2 / (4 * 5 + 4 * 4))
    assert (row.video, row.method, row.warmup) == ("v", "adapted", 0.2)
    assert np.isnan(row.mvc8)  # Eight frames hold no window that is followed by another frame.


@pytest.mark.parametrize("warmup", ["1.0", "-0.1"])
def test_wrong_warmup(root: Path, warmup: str) -> None:
    with pytest.raises(SystemExit):
        run(root, "--warmup", warmup)


def test_the_real_model_reaches_the_published_score() -> None:
    try:
        videos = davis_voc(data_root(), stride=3)
    except FileNotFoundError as error:
        pytest.skip(str(error))
    segmenter = program.build_segmenter(data_root() / program.WEIGHTS)
    video = videos[videos.names.index("car-shadow")]
    row = program.score(video, 0, "iss", 0, program.image_model(segmenter))
    # The published one reads frames and resizes them in another way.
    assert row.iou == pytest.approx(0.852, abs=0.0015)
