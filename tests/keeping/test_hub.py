"""Adaptations on the model hub, whose calls are those of its own library."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch

from ditta_adapt import AdaptConfig, CheckpointError, VideoSegmenter, wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.keeping.model_card import model_card
from tests.toys import toy_segmenter, toy_video

FRAMES = toy_video(6)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A hub of folders, behind the names and arguments of the real one."""
    asked: dict[str, Any] = {}

    def create_repo(self: Any, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        asked["private"] = private
        (tmp_path / repo_id).mkdir(parents=True, exist_ok=exist_ok)

    def upload_folder(
        self: Any, *, repo_id: str, folder_path: Path, commit_message: str
    ) -> SimpleNamespace:
        for path in Path(folder_path).iterdir():
            (tmp_path / repo_id / path.name).write_bytes(path.read_bytes())
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")

    def snapshot_download(repo_id: str, *, allow_patterns: list[str]) -> str:
        if not (tmp_path / repo_id).is_dir():
            raise OSError(f"404: {repo_id}")
        return str(tmp_path / repo_id)

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", create_repo)
    monkeypatch.setattr(huggingface_hub.HfApi, "upload_folder", upload_folder)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    asked["folder"] = tmp_path
    return asked


def adapted() -> VideoSegmenter:
    video_model = wrap(toy_segmenter(), config=AdaptConfig(seed=2))
    video_model.adapt(FRAMES[:4])
    return video_model


def test_pushed_and_fetched(hub: dict[str, Any]) -> None:
    video_model = adapted()
    address = video_model.push_to_hub("me/street", private=True)
    assert address == "https://hub/me/street/commit/1"
    assert hub["private"]
    fetched = VideoSegmenter.from_pretrained(toy_segmenter(), "me/street")
    assert fetched.config == video_model.config
    assert fetched._stream.config == video_model.report.config
    video_model.clear_memory()
    for frame in FRAMES[4:]:
        assert torch.equal(video_model(frame), fetched(frame))
    card = (hub["folder"] / "me/street/README.md").read_text()
    assert card.startswith("---\nlibrary_name: ditta-adapt\n")
    assert 'VideoSegmenter.from_pretrained(my_model, "me/street")' in card
    reason = video_model.report.reason
    assert reason[1:] in card
    assert "| seed | 2 |" in card


def test_a_model_that_it_does_not_fit(hub: dict[str, Any]) -> None:
    adapted().push_to_hub("me/street")
    with pytest.raises(CheckpointError, match="was adapted from a model with other weights"):
        VideoSegmenter.from_pretrained(toy_segmenter(seed=1), "me/street")


def test_what_the_hub_does_not_have(hub: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="me/nothing is no folder, and cannot be fetched"):
        wrap(toy_segmenter()).load_pretrained("me/nothing")
    # Neither is an id: a path of three parts, and one that is said to be a path.
    for name in ("a/b/c", Path("me/nothing")):
        with pytest.raises(CheckpointError, match=r"config\.json does not exist"):
            wrap(toy_segmenter()).load_pretrained(name)


def test_a_hub_that_refuses(hub: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("401: log in")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(CheckpointError, match="me/street cannot be pushed to the model hub: 401"):
        adapted().push_to_hub("me/street")


def test_a_folder_comes_before_an_id(
    hub: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    video_model = adapted()
    video_model.save_pretrained("runs/street")
    monkeypatch.delattr(huggingface_hub, "snapshot_download")
    loaded = VideoSegmenter.from_pretrained(toy_segmenter(), "runs/street")
    assert loaded.config == video_model.config
    assert loaded._stream.config == video_model.report.config


def test_the_card_of_what_was_only_loaded() -> None:
    from ditta_adapt.adapters.segformer import SegformerSegmenter

    card = model_card(SegformerSegmenter(load_demo_model()), None, "me/street")
    assert "(9 classes)" in card
    assert "Nothing is on record" in card
