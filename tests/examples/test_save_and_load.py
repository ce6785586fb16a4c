"""The example that keeps what was adapted; it compares labels itself."""

from functools import partial
from pathlib import Path

import pytest

from ditta_adapt.demo.scenes import render_video
from examples import save_and_load


def test_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(save_and_load, "render_video", partial(render_video, size=(64, 112)))
    assert save_and_load.main(["--folder", str(tmp_path)]) == 0
    assert "with the same labels" in capsys.readouterr().out
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.safetensors")}
    assert files == {
        "decoder/model.safetensors",
        "stream/model.safetensors",
        "stream/state.safetensors",
    }


def test_it_compares_with_a_stream_that_remembers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the state the labels of the next frames are others, and the example would fail."""
    monkeypatch.setattr(save_and_load, "render_video", partial(render_video, size=(64, 112)))
    # On frames as small as these the memory is doubted, and nothing of it would be heard.
    monkeypatch.setattr("ditta_adapt.safety.memory_length.MemoryLength.doubted", False)
    save = save_and_load.wrap(save_and_load.load_demo_model()).__class__.save_pretrained

    def forgetful(model: object, path: Path, *, state: bool = False) -> None:
        save(model, path)

    monkeypatch.setattr("ditta_adapt.VideoSegmenter.save_pretrained", forgetful)
    with pytest.raises(AssertionError):
        save_and_load.main(["--folder", str(tmp_path)])
