"""A stopped adaptation goes on to what it would have come to in one piece."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ditta_adapt import CheckpointError, ClassMix, DomainConfig, PatchMask, Progress
from ditta_adapt.baselines import RefinedLabels
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain import DomainResult, adapt_to_domain, training
from ditta_adapt.domain.held_out import HeldOut
from ditta_adapt.io.video import write_video
from ditta_adapt.models.parameters import adaptable_state
from tests.toys import toy_segmenter, toy_video

SIZE = (32, 40)
CONFIG = DomainConfig(rounds=3, judged_frames=3, mask=PatchMask(), mix=ClassMix())


@pytest.fixture(autouse=True)
def after_every_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first round of every process is found better."""
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[0.24, 0.26]])


def adapt(checkpoint: Path | None, **options: Any) -> DomainResult:
    videos = [toy_video(8, SIZE, seed) for seed in range(4)]
    labels = [np.zeros(SIZE, np.uint8)] * 8
    known = [LabelledVideo(str(n), frames, labels) for n, frames in enumerate(videos)]
    options = {"config": CONFIG, "source": known} | options
    return adapt_to_domain(toy_segmenter(), known, checkpoint=checkpoint, **options)


def everything(result: DomainResult) -> dict[str, Any]:
    state = adaptable_state(result.segmenter)
    weights = {name: tensor.tolist() for name, tensor in state.items()}
    return result.report.to_dict() | {"seconds": 0.0, "weights": weights}


class Stopped(Exception):
    """The program ends here."""


@pytest.mark.parametrize("clip", [1, 2, 3, 4, 8, 9])
def test_goes_on_from_any_clip(clip: int, tmp_path: Path, approved: None) -> None:
    whole = adapt(None)
    assert whole.report.kept
    assert whole.report.rounds[0].teacher_miou is not None

    def stop(progress: Progress) -> None:
        if progress.done == clip:
            raise Stopped

    path = tmp_path / "new" / "checkpoint.safetensors"
    with pytest.raises(Stopped):
        adapt(path, progress=stop)
    told: list[int] = []
    resumed = adapt(path, progress=lambda progress: told.append(progress.done))
    # The clip was written before it was told of.
    assert told == list(range(clip + 1, 10))
    assert everything(resumed) == everything(whole)
    # And once more, from the end.
    assert everything(adapt(path)) == everything(whole)


def test_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    adapt(path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match="another model, to other videos, or with other"):
        adapt(path, config=DomainConfig(rounds=2))
    with pytest.raises(CheckpointError, match="Remove it to begin anew"):
        adapt(path, source=None)
    frames, labels = toy_video(8, SIZE, 9), [np.ones(SIZE, np.uint8)] * 8
    others = [LabelledVideo(str(n), frames, labels) for n in range(4)]
    builders = [RefinedLabels("warp"), RefinedLabels("consistency")]
    for other in ({"source": others}, {"target_builder": builders[0]}):
        with pytest.raises(CheckpointError, match="with other options"):
            adapt(path, **other)
    second = tmp_path / "second.safetensors"
    adapt(second, target_builder=builders[0])
    with pytest.raises(CheckpointError, match="with other options"):
        adapt(second, target_builder=builders[1])
    assert path.read_bytes() == before
    path.write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        adapt(path)
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="cannot write"):
        adapt(tmp_path / "file" / "checkpoint.safetensors")


PROGRAM = """
import sys
from ditta_adapt.cli import main
from ditta_adapt.domain import training
from ditta_adapt.safety import trust
training.CHECKPOINT_SECONDS = 0.0
trust.doubted_scales = lambda *known: ()
sys.exit(main(sys.argv[1:]))
"""


def test_a_killed_command_goes_on(tmp_path: Path) -> None:
    videos = [tmp_path / f"{seed}.mp4" for seed in range(3)]
    for seed, path in enumerate(videos):
        write_video(path, toy_video(6, SIZE, seed), fps=10)

    def command(out: Path) -> list[str]:
        model = ["--model", "tests.toys:toy_segmenter", "--rounds", "3", "--mask"]
        names = [str(path) for path in videos]
        return [sys.executable, "-c", PROGRAM, "domain", *names, *model, "--out", str(out)]

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run(command(whole), check=True, capture_output=True)
    with subprocess.Popen(command(killed), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("clip 3 of 6"):
                process.send_signal(signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert (killed / "checkpoint.safetensors").exists()
    done = subprocess.run(command(killed), check=True, capture_output=True, text=True)
    assert "clip 3 of 6" not in done.stderr
    assert "clip 6 of 6" in done.stderr
    assert not (killed / "checkpoint.safetensors").exists()
    one, other = (load_file(folder / "model.safetensors") for folder in (whole, killed))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert sorted(path.name for path in killed.iterdir()) == ["config.json", "model.safetensors"]
