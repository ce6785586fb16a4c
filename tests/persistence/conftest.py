"""A model that was adapted, once for each kind of memory, and the folder it was saved to."""

import copy
from pathlib import Path

import pytest

from ditta_adapt import AdaptConfig, Training, VideoSegmenter, wrap
from tests.toys import toy_segmenter, toy_video

FRAMES = toy_video(7)


@pytest.fixture(scope="module", params=["residual", "warped", "auto"])
def adapted_once(request: pytest.FixtureRequest) -> VideoSegmenter:
    training = Training(learning_rate=1e-3)
    config = AdaptConfig(training=training, memory=request.param, safety=None, seed=5)
    model = wrap(toy_segmenter(), config=config)
    assert model.adapt(FRAMES[:4]).adapted
    return model


@pytest.fixture
def adapted(adapted_once: VideoSegmenter) -> VideoSegmenter:
    return copy.deepcopy(adapted_once)


@pytest.fixture
def folder(adapted: VideoSegmenter, tmp_path: Path) -> Path:
    adapted.save_pretrained(tmp_path / "clip")
    return tmp_path / "clip"
