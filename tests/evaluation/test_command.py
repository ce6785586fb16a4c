"""`ditta-adapt eval`, as a user meets it."""

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt.cli import main
from tests.datasets.trees import save
from tests.toys import toy_video

QUICK = [
    *("--dataset", "demo", "--root", ".", "--option", "videos=1", "--option", "frames=6"),
    *("--model", "demo", "--methods", "image-model", "ditta", "--warmup", "1", "50%"),
]
TOYS = [
    *("--dataset", "toy_parts:videos", "--root", ".", "--model", "toy_parts:toy_segmenter"),
    *("--propagator", "toy_parts:OpticalFlowPropagator"),
]


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module that `TOYS` names, in the current folder."""
    (tmp_path / "toy_parts.py").write_text(
        "from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator\n"
        "from tests.evaluation.toy_dataset import toy_dataset\n"
        "from tests.toys import toy_segmenter\n"
        "def videos(root, *, names: str = 'a'):\n"
        "    return toy_dataset(names.split())\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "toy_parts", raising=False)


def scores(folder: Path) -> list[dict[str, str]]:
    """The rows of the table without wall time."""
    with (folder / "table.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        del row["fps"], row["adapt_seconds"]
    return rows


def test_tables_on_the_screen_and_on_disk(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *QUICK, "--out", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert "mIoU @50%" in captured.out
    assert "mIoU @1 frame" in captured.out
    assert captured.err.count(" left: ") == 4
    assert "[####################] 4/4, 0:00:00 left: seed-3, 50%, ditta: 3 frames" in captured.err
    assert (tmp_path / "table.md").read_text().startswith("| method | FPS | mIoU @50% |")
    rows = scores(tmp_path)
    assert [(row["method"], row["warmup"]) for row in rows] == [
        (method, warmup) for warmup in ("1 frame", "50%") for method in ("image-model", "ditta")
    ]
    assert all(0.2 < float(row["mIoU"]) < 1 for row in rows)
    assert [row["mIoU"] for row in rows[::2]] != [row["mIoU"] for row in rows[1::2]]


@pytest.mark.usefixtures("toys")
def test_killed_and_given_again(tmp_path: Path) -> None:
    asked = ["eval", *TOYS, "--option", "names=a b c", "--methods", "image-model", "ditta"]
    asked += ["--warmup", "0.2", "0.5"]
    assert main([*asked, "--out", "whole"]) == 0
    program = "import sys; from ditta_adapt.cli import main; sys.exit(main(sys.argv[1:]))"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "-c", program, *asked, "--out", "killed"],
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": paths},
    )
    results = tmp_path / "killed" / "results.jsonl"
    try:
        while not (results.is_file() and results.read_text().count("\n") >= 4):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.005)
    finally:
        process.kill()
        process.wait()
    assert results.read_text().count("\n") < 13, "it ended before it was killed"
    assert main([*asked, "--out", "killed"]) == 0
    assert scores(tmp_path / "killed") == scores(tmp_path / "whole")
    cases = [json.loads(line) for line in results.read_text().splitlines()[1:]]
    keys = [(c["method"], c["warmup"], c["video"]) for c in cases]
    assert len(keys) == len(set(keys)) == 12


@pytest.mark.usefixtures("toys")
def test_a_model_and_data_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = ["eval", *TOYS, "--methods", "image-model", "tent"]
    assert main([*own, "--out", "fine", "--failures", "1"]) == 0
    assert (tmp_path / "fine" / "failures.html").read_text().count("<figure>") == 2
    assert main([*own, "--option", "names=a broken", "--out", "broken"]) == 1
    assert "image-model at 10%: 1 of 2 videos failed and are left out." in capsys.readouterr().out


@pytest.mark.usefixtures("toys", "unchecked")
def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for t, frame in enumerate(toy_video(6, (32, 40))):
        save(tmp_path / "clips" / "a" / f"{t}.png", frame)
        save(tmp_path / "clips" / "b" / f"{t}.png", frame)
    (tmp_path / "clips" / "a" / "4.png").write_bytes(b"")
    own = ["eval", *TOYS, "--dataset", "folder", "--root", "clips", "--methods", "image-model"]
    assert main([*own, "--out", "skip"]) == 0
    assert "a, 10%, image-model: 4 frames (1 of 6 frames could" in capsys.readouterr().err
    assert main([*own, "--out", "stop", "--on-error", "stop"]) == 1
    captured = capsys.readouterr().err
    assert "a, 10%, image-model: failed: " in captured
    assert "b, 10%, image-model: 5 frames\n" in captured


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "imagenet"], "there is no data set 'imagenet'"),
        (["--option", "videos"], "is not KEY=VALUE"),
        (["--option", "colour=red"], "colour"),
        (["--methods", "magic"], "no method 'magic'"),
        (["--failures", "-1"], "--failures is -1"),
        (["--propagator", "magic"], "no propagator is called 'magic'"),
        (["--model", "nowhere:model"], "there is no package 'nowhere'"),
        (["--aux", "nowhere:model"], "there is no package 'nowhere'"),
        (["--classifier", "missing.safetensors"], "there is no file missing.safetensors"),
        (["--model", "./absent-folder"], "the model './absent-folder' cannot be loaded"),
        (["--corruption", "fog:3"], "fog"),
        (["--warmup", "1.5"], "whole percentage"),
        (["--device", "nowhere"], "device is 'nowhere'"),
        (["--device", "xla"], "cannot be moved to 'xla'"),
        (["--model", "builtins:len"], "raised TypeError"),
        (["--corruption", "style1:high"], "cannot be applied"),
    ],
)
def test_one_line_for_what_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["eval", *QUICK, "--out", str(tmp_path / "out"), *arguments]) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("ditta-adapt: ")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--methods", "magic"],
        ["--corruption", "fog:3"],
        ["--propagator", "sam3"],
        ["--classifier", "missing.safetensors"],
        ["--aux", "nowhere:model"],
        ["--device", "nowhere"],
        ["--out", "file/out"],
        ["--warmup", "1.5"],
    ],
    ids=" ".join,
)
def test_names_are_refused_before_anything_is_loaded(
    wrong: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "mine.py").write_text("raise SystemExit('imported')")
    asked = ["--dataset", "mine:data", "--root", ".", "--model", "mine:model", "--out", "out"]
    assert main(["eval", *asked, *wrong]) == 2
    assert "imported" not in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "mine.py"]


def test_a_terminal_that_cannot_show_everything(tmp_path: Path) -> None:
    """The files hold all; the terminal gets a question mark for what it has no letter for."""
    program = "import sys; from ditta_adapt.cli import main; sys.exit(main(sys.argv[1:]))"
    paths = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    for t, frame in enumerate(toy_video(6, (32, 40))):
        save(tmp_path / "clips" / "été ☃" / f"{t}.png", frame)
    asked = ["eval", "--dataset", "folder", "--root", "clips", "--model", "demo"]
    done = subprocess.run(
        [sys.executable, "-c", program, *asked, "--methods", "image-model", "--out", "out"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    assert b"?" in done.stdout + done.stderr
    assert "image-model" in (tmp_path / "out" / "table.md").read_text("utf-8")
    assert (
        "☃" in json.loads((tmp_path / "out" / "results.jsonl").read_text().splitlines()[1])["video"]
    )
