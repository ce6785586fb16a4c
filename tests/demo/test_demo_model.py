import sys

import numpy as np
import pytest
import torch

from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.demo.model import WEIGHTS_DIR, load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_scene, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.errors import MissingDependencyError

transformers = pytest.importorskip("transformers")

# Training seeds start at one million, so these scenes are held out.
HELD_OUT = range(400_000, 400_006)


@pytest.fixture(scope="module")
def model():
    return load_demo_model()


def predict(model, frames):
    segmenter = SegformerSegmenter(model)
    with torch.inference_mode():
        images = segmenter.preprocess(torch.from_numpy(frames).permute(0, 3, 1, 2))
        logits = model(pixel_values=images).logits
        logits = torch.nn.functional.interpolate(logits, size=frames.shape[1:3], mode="bilinear")
    return logits.argmax(1).numpy()


def mean_iou(found, truth):
    scores = []
    for index in range(len(CLASS_NAMES)):
        union = ((found == index) | (truth == index)).sum()
        if union:
            scores.append(((found == index) & (truth == index)).sum() / union)
    return float(np.mean(scores))


def test_it_is_the_real_class_in_float32_and_in_eval_mode(model):
    assert type(model) is transformers.SegformerForSemanticSegmentation
    assert not model.training
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert all(b.dtype in (torch.float32, torch.int64) for b in model.buffers())
    assert tuple(model.config.id2label.values()) == CLASS_NAMES
    with torch.inference_mode():
        logits = model(pixel_values=torch.zeros(2, 3, 64, 98)).logits
    assert logits.shape == (2, 9, 16, 25)
    assert logits.dtype == torch.float32


def test_models_do_not_share_weights(model):
    other = load_demo_model()
    with torch.no_grad():
        next(other.parameters()).add_(1.0)
    assert not torch.equal(next(other.parameters()), next(model.parameters()))


def test_it_segments_held_out_clean_scenes(model):
    pairs = [render_scene(seed) for seed in HELD_OUT]
    found = predict(model, np.stack([image for image, _ in pairs]))
    assert mean_iou(found, np.stack([labels for _, labels in pairs])) > 0.70


def test_the_shift_lowers_its_score_and_makes_it_flicker(model):
    frames, labels = render_video(2, 5)
    clean, rough = predict(model, frames), predict(model, shift_frames(frames, seed=2))
    assert mean_iou(rough, labels) < mean_iou(clean, labels) - 0.1
    # Not broken: it stays far above a map of one class, which scores at most 1/9 of a perfect one.
    assert mean_iou(rough, labels) > 0.25
    changed = [(maps[1:] != maps[:-1]).mean() for maps in (labels, clean, rough)]
    assert changed[2] > 2 * changed[1]
    assert changed[2] > 2 * changed[0]


def test_the_shipped_folder_is_small_and_complete():
    names = {path.name for path in WEIGHTS_DIR.iterdir()}
    assert names == {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"}
    assert sum(path.stat().st_size for path in WEIGHTS_DIR.iterdir()) < 8_000_000


def test_its_own_settings_are_found(model):
    """Not the defaults: the folder's settings are read because the model knows where it is from."""
    assert (
        SegformerSegmenter(model).preprocessing.settings["image_processor_type"]
        == "SegformerImageProcessor"
    )


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependencyError, match=r"transformers.*ditta-adapt\[hf\]"):
        load_demo_model()
