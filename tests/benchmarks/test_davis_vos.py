"""Following objects by one command: rows, tables, saved masks."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("transformers")
pytest.importorskip("cv2")

from benchmarks import davis_vos
from benchmarks.vos.tables import pooled, table
from tests.datasets.trees import save, save_palette, write


def square(left: int, number: int) -> np.ndarray:
    labels = np.zeros((24, 32), np.uint8)
    labels[4:12, left : left + 8] = number
    return labels


def tree(root: Path) -> Path:
    """A square that moves by a pixel a frame, and from frame 2 on another one that stands."""
    for t in range(5):
        labels = square(2 + t, 1)
        if t >= 2:
            labels[16:22, 20:28] = 2
        frame = np.full((24, 32, 3), 90, np.uint8)
        frame[labels == 1], frame[labels == 2] = (220, 30, 30), (30, 30, 220)
        save(root / f"valid/JPEGImages/v1/{5 * t:05d}.jpg", frame)
        save_palette(root / f"valid/Annotations/v1/{5 * t:05d}.png", labels)
    objects = {"1": {"category": "owl"}, "2": {"category": "sofa"}}
    write(root / "valid/meta.json", json.dumps({"videos": {"v1": {"objects": objects}}}))
    known = {"videos": {"x": {"objects": {"1": {"category": "owl"}}}}}
    write(root / "train/meta.json", json.dumps(known))
    return root


def test_rows_of_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, rows, masks = tree(tmp_path), tmp_path / "rows.json", tmp_path / "masks"
    call = ["--dataset", "youtube-vos", "--root", str(root), "--json", str(rows)]
    davis_vos.main([*call, "--teachers", "copy", "--save", str(masks)])
    (row,) = json.loads(rows.read_text())
    first, second = row["objects"]
    # Of eight columns, 8 - t are still there: J = (8 - t) / (8 + t).
    assert first["J"] == pytest.approx(np.mean([(8 - t) / (8 + t) for t in (1, 2, 3)]))
    assert (second["J"], second["F"]) == (1, 1)
    assert (first["seen"], second["seen"]) == (True, False)
    # It is not measured again.
    davis_vos.main([*call, "--teachers", "copy"])
    assert len(json.loads(rows.read_text())) == 1
    assert "J unseen" in capsys.readouterr().out
    with Image.open(masks / "copy-clean/v1/00010.png") as image:
        labels = np.asarray(image)
    np.testing.assert_array_equal(labels == 2, np.pad(np.ones((6, 8), bool), ((16, 2), (20, 4))))


def test_seeds_and_jumps_are_of_the_trained_alone() -> None:
    options = davis_vos.read(["--seeds", "1", "5", "--jumps", "2", "random", "--lengths", "3", "8"])
    assert len(davis_vos.courses(options, "flow")) == 1
    all_of_them = davis_vos.courses(options, "matching+entropy")
    assert len(all_of_them) == 8
    assert {course.jump for course in all_of_them} == {2, None}


def test_means_are_over_objects_not_videos() -> None:
    def row(video: str, *scores: float) -> dict[str, Any]:
        objects = [
            {"id": i, "J": score, "F": score / 2, "seen": i == 1}
            for i, score in enumerate(scores, start=1)
        ]
        keys = {"teacher": "copy", "frames": "clean", "length": 3, "jump": 10, "seed": 0}
        return {**keys, "video": video, "objects": objects, "seconds": 1.0}

    rows = [row("a", 0.2), row("b", 0.8, 0.5)]
    assert pooled(rows).tolist() == pytest.approx([0.5, 0.25])
    assert all(math.isnan(score) for score in pooled([]))
    line = table(rows).splitlines()[-1].split()
    # J & F, J, F; the worst video; G of J .5 and F .25 of the seen and the same of the unseen.
    assert line[5:9] == ["0.375", "0.500", "0.250", "0.150"]
    assert line[10] == "0.375"


def test_a_data_set_needs_a_place(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        davis_vos.read(["--dataset", "mose"])
    assert "--root" in capsys.readouterr().err
