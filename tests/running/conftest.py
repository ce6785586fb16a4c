"""One clip, and what a run of it in one piece writes."""

from pathlib import Path

import pytest
import torch

from tests.running.clips import write_images
from tests.running.runs import run
from tests.toys import toy_video


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    write_images(folder, toy_video(14, size=(40, 56)))
    return folder


@pytest.fixture(scope="module")
def whole(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("out") / "whole"
    assert run(clip, out).status == "done"
    return out
