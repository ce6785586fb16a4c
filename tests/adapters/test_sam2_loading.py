"""Where `SAM2Propagator` takes its model from, and what it says when that fails."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from ditta_adapt import (
    InputError,
    MissingDependencyError,
    PropagationError,
)
from ditta_adapt.adapters.sam2 import SAM2Propagator
from tests.adapters.sam2_package_models import (
    FIRST,
    REAL_CONFIG,
    follow,
    prompts_of,
    small_config,
    small_predictor,
)
from tests.toys import toy_video


@pytest.fixture(scope="module")
def predictor() -> Any:
    return small_predictor()


@pytest.fixture
def small_checkpoint(tmp_path: Path, predictor: Any) -> Path:
    path = tmp_path / "small.pt"
    torch.save({"model": predictor.state_dict()}, path)
    return path


def test_loads_a_config_and_a_checkpoint_at_first_use(
    small_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compose(config_name: str, overrides: list[str]) -> Any:
        assert config_name == "small.yaml"
        return small_config(overrides)

    monkeypatch.setattr("sam2.build_sam.compose", compose)
    teacher = SAM2Propagator(config="small.yaml", checkpoint=small_checkpoint, device="cpu")
    assert teacher.predictor is None
    frames = toy_video(3)
    with teacher.open(frames) as session:
        loaded = teacher.predictor
        # Also with post-processing, whose part that needs CUDA would warn.
        assert follow(session, range(3), {0: FIRST})[2][3].shape == (37, 50)
    assert loaded.binarize_mask_from_pts_for_mem_enc
    for name, value in small_predictor().state_dict().items():
        assert torch.equal(value, loaded.state_dict()[name]), name
    with teacher.open(frames):
        assert teacher.predictor is loaded


def test_a_checkpoint_of_another_size(small_checkpoint: Path) -> None:
    teacher = SAM2Propagator(config=REAL_CONFIG, checkpoint=small_checkpoint, device="cpu")
    for _ in range(2):
        with (
            pytest.raises(InputError, match=r"small\.pt.*sam2\.1_hiera_t\.yaml.*same size"),
            teacher.open(toy_video(2)),
        ):
            pass
    assert teacher.predictor is None


def test_an_unknown_config_and_a_broken_checkpoint(small_checkpoint: Path) -> None:
    teacher = SAM2Propagator(config="nothing.yaml", checkpoint=small_checkpoint, device="cpu")
    with pytest.raises(InputError, match=r"nothing\.yaml"), teacher.open(toy_video(2)):
        pass
    small_checkpoint.write_bytes(b"not a checkpoint")
    teacher = SAM2Propagator(config=REAL_CONFIG, checkpoint=small_checkpoint, device="cpu")
    with pytest.raises(InputError, match="could not load checkpoint"), teacher.open(toy_video(2)):
        pass


def test_the_hub_is_asked_at_first_use_only(
    predictor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def fetch(hub_id: str, device: torch.device) -> Any:
        asked.append((hub_id, device))
        if len(asked) == 1:
            raise ConnectionError("no network")
        return predictor

    monkeypatch.setattr("sam2.build_sam.build_sam2_video_predictor_hf", fetch)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    teacher = SAM2Propagator()
    assert asked == []
    with (
        pytest.raises(PropagationError, match=r"sam2\.1-hiera-large.*no network.*checkpoint="),
        teacher.open(toy_video(2)),
    ):
        pass
    with teacher.open(toy_video(2)) as session:
        session.prompt(0, prompts_of(FIRST))
    assert asked == [("facebook/sam2.1-hiera-large", torch.device("cpu"))] * 2


def test_missing_libraries_say_which_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = r"pip install 'ditta-adapt\[sam2\]'.*torchvision"
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "huggingface_hub", None)
        with (
            pytest.raises(MissingDependencyError, match="huggingface_hub is not.*" + extra),
            SAM2Propagator().open(toy_video(2)),
        ):
            pass
    monkeypatch.setitem(sys.modules, "sam2", None)
    with pytest.raises(MissingDependencyError, match="sam2 is not installed.*" + extra):
        SAM2Propagator()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": REAL_CONFIG}, "random weights"),
        ({"checkpoint": "weights.pt"}, "belong together"),
        ({"config": REAL_CONFIG, "checkpoint": "weights.pt"}, r"weights\.pt.*no such file"),
        ({"hub_id": "facebook/sam3"}, r"facebook/sam3.*facebook/sam2\.1-hiera-tiny"),
        ({"predictor": "facebook/sam2.1-hiera-tiny"}, "predictor is a str.*hub_id="),
        ({"cached_frames": 0}, "cached_frames is 0"),
    ],
)
def test_wrong_arguments(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SAM2Propagator(**options)


def test_two_sources_or_a_predictor_in_training(predictor: Any) -> None:
    with pytest.raises(InputError, match="one of these only"):
        SAM2Propagator(predictor, hub_id="facebook/sam2.1-hiera-tiny")
    predictor.train()
    with pytest.raises(InputError, match="training mode"):
        SAM2Propagator(predictor)
    predictor.eval()


def test_a_predictor_is_moved_only_when_asked(predictor: Any) -> None:
    assert SAM2Propagator(predictor).predictor is predictor
    moved = SAM2Propagator(small_predictor(), device="meta").predictor
    assert moved.device == torch.device("meta")


@pytest.mark.skipif(
    find_spec("torchvision") is None, reason="not installed: all tests here show it is not needed"
)
def test_needs_no_torchvision() -> None:
    program = """
import sys
sys.modules["torchvision"] = None
from ditta_adapt.adapters.sam2 import SAM2Propagator
from tests.adapters.sam2_package_models import FIRST, follow, small_predictor
from tests.toys import toy_video
SAM2Propagator()
with SAM2Propagator(small_predictor()).open(toy_video(2)) as session:
    follow(session, range(2), {0: FIRST})
assert not [name for name in sys.modules if name.startswith("torchvision.")]
"""
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", program], check=True, cwd=root)
