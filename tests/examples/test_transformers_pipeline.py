"""The example for users of transformers' pipelines, with a real pipeline and with what it reads."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ditta_adapt.demo.model import WEIGHTS_DIR, load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from examples import transformers_pipeline
from examples.transformers_pipeline import as_pipeline_output, video_model_of

FRAMES, _ = render_video(seed=3, num_frames=4, size=(96, 160))


@pytest.fixture(scope="module")
def pipe() -> Any:
    transformers = pytest.importorskip("transformers")
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(WEIGHTS_DIR)
    except (ImportError, ValueError) as error:
        if "torchvision" not in str(error).lower():
            raise
        pytest.skip("this version of transformers makes no image processor without torchvision")
    return transformers.pipeline(
        "image-segmentation", model=load_demo_model(), image_processor=processor
    )


def test_before_it_is_adapted_it_returns_what_the_pipeline_returns(pipe: Any) -> None:
    expected = pipe(Image.fromarray(FRAMES[0]))
    found = as_pipeline_output(video_model_of(pipe)(FRAMES[0]), pipe)
    assert len(found) > 3
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.keys() == theirs.keys()
        assert (ours["score"], ours["label"]) == (theirs["score"], theirs["label"])
        assert ours["mask"].mode == theirs["mask"].mode
        # Where two classes are equal but for rounding either may be found.
        assert np.mean(np.asarray(ours["mask"]) != np.asarray(theirs["mask"])) < 1e-3


def test_it_adapts_and_leaves_the_pipeline_as_it_is(
    pipe: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On three clean frames some size is doubted, and nothing would be learned.
    monkeypatch.setattr("ditta_adapt.safety.trust.doubted_scales", lambda *known: ())
    before = {name: value.clone() for name, value in pipe.model.state_dict().items()}
    video_model = video_model_of(pipe)
    assert video_model.adapt(FRAMES[:3]).adapted
    assert all(torch.equal(before[name], own) for name, own in pipe.model.state_dict().items())


def test_the_processor_is_listened_to() -> None:
    """Of anything that has a model and a processor, such as a pipeline of one's own."""
    plain = SimpleNamespace(model=load_demo_model(), image_processor=None)
    strange = {"image_mean": [0.9] * 3, "image_std": [0.1] * 3, "rescale_factor": 1 / 255}
    other = SimpleNamespace(model=plain.model, image_processor=strange)
    assert not torch.equal(video_model_of(plain)(FRAMES[0]), video_model_of(other)(FRAMES[0]))


@pytest.mark.usefixtures("pipe")
def test_it_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    small = partial(render_video, size=(64, 112))
    monkeypatch.setattr(transformers_pipeline, "render_video", small)
    assert transformers_pipeline.main([]) == 0
    report, *lines = capsys.readouterr().out.splitlines()
    assert "8 warm-up frames" in report
    assert {line.split()[0] for line in lines} <= set(CLASS_NAMES)
    assert sum(float(line.split()[1].rstrip("%")) for line in lines) == pytest.approx(100, abs=1)
