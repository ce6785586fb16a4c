"""`ditta-adapt eval`, as a user meets it."""

import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("cv2")
pytest.importorskip("transformers")

from ditta_adapt.cli import main

QUICK = [
    *("--dataset", "demo", "--root", ".", "--option", "videos=2", "--option", "frames=10"),
    *("--model", "demo", "--methods", "iss", "ditta", "--warmup", "0.2", "0.5"),
]


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
    assert "mIoU @20%" in captured.out
    assert "mIoU @50%" in captured.out
    assert captured.err.count(" left: ") == 8
    assert "[####################] 8/8, 0:00:00 left: seed-4, 50%, ditta: 5 frames" in captured.err
    assert (tmp_path / "table.md").read_text().startswith("| method | FPS | mIoU @20% |")
    rows = scores(tmp_path)
    assert [(row["method"], row["warmup"]) for row in rows] == [
        (method, warmup) for warmup in ("20%", "50%") for method in ("iss", "ditta")
    ]
    assert all(0.2 < float(row["mIoU"]) < 1 for row in rows)
    assert rows[0]["mIoU"] != rows[1]["mIoU"]


def test_killed_and_given_again(tmp_path: Path) -> None:
    assert main(["eval", *QUICK, "--out", str(tmp_path / "whole")]) == 0
    program = "import sys; from ditta_adapt.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "eval", *QUICK, "--out", str(tmp_path / "killed")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    results = tmp_path / "killed" / "results.jsonl"
    try:
        while not (results.is_file() and results.read_text().count("\n") >= 4):
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
    finally:
        process.kill()
        process.wait()
    before = results.read_text().count("\n")
    assert before < 9, "it ended before it was killed"
    assert main(["eval", *QUICK, "--out", str(tmp_path / "killed")]) == 0
    assert scores(tmp_path / "killed") == scores(tmp_path / "whole")
    cases = [json.loads(line) for line in results.read_text().splitlines()[1:]]
    keys = [(c["method"], c["warmup"], c["video"]) for c in cases]
    assert len(keys) == len(set(keys)) == 8


def test_a_model_and_data_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "my_parts.py").write_text(
        "from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator\n"
        "from tests.evaluation.toy_dataset import toy_dataset\n"
        "from tests.toys import toy_segmenter\n"
        "def videos(root, *, broken=False):\n"
        "    return toy_dataset(['a', 'broken'] if broken else ['a'])\n"
    )
    monkeypatch.chdir(tmp_path)
    own = [
        "eval",
        "--dataset",
        "my_parts:videos",
        "--root",
        ".",
        "--model",
        "my_parts:toy_segmenter",
    ]
    own += ["--propagator", "my_parts:OpticalFlowPropagator", "--methods", "iss", "tent"]
    assert main([*own, "--out", "fine"]) == 0
    assert main([*own, "--option", "broken=true", "--out", "broken"]) == 1
    assert "iss at 10%: 1 of 2 videos failed and are left out." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "imagenet"], "there is no data set 'imagenet'"),
        (["--option", "videos"], "is not KEY=VALUE"),
        (["--option", "colour=red"], "colour"),
        (["--methods", "magic"], "no method 'magic'"),
        (["--propagator", "magic"], "no propagator is called 'magic'"),
        (["--model", "nowhere:model"], "cannot import 'nowhere'"),
        (["--model", "./absent-folder"], "the model './absent-folder' cannot be loaded"),
        (["--corruption", "fog:3"], "fog"),
        (["--warmup", "1.5"], "whole percentage"),
        (["--device", "nowhere"], "cannot be moved to 'nowhere'"),
        (["--model", "builtins:len"], "raised TypeError"),
        (["--corruption", "style1:high"], "cannot be applied"),
    ],
)
def test_one_line_for_what_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["eval", *QUICK, "--out", str(tmp_path / "out"), *arguments]) == 1
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("ditta-adapt: ")
    assert not (tmp_path / "out").exists()
