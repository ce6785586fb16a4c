"""SegFormer: the adapter against transformers' own model."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerModel

from ditta_adapt import AdaptConfig, InputError, ShapeError, wrap
from ditta_adapt.adapters.segformer import SegformerSegmenter
from tests.toys import prompting, toy_video


def small_config() -> SegformerConfig:
    return SegformerConfig(
        num_labels=5,
        hidden_sizes=[8, 16, 24, 32],
        num_attention_heads=[1, 1, 2, 4],
        depths=[1, 1, 1, 1],
        decoder_hidden_size=16,
    )


def small_model(seed: int = 0) -> SegformerForSemanticSegmentation:
    torch.manual_seed(seed)
    return SegformerForSemanticSegmentation(small_config()).eval()


def frames_of(size: tuple[int, int], batch: int = 1) -> torch.Tensor:
    return torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in toy_video(batch, size)])


@pytest.mark.parametrize("size", [(32, 32), (97, 131), (64, 96)])
def test_decode_of_encode_is_the_models_own_forward(size: tuple[int, int]) -> None:
    model = small_model()
    segmenter = SegformerSegmenter(model)
    images = segmenter.preprocess(frames_of(size, batch=2))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        assert torch.equal(output.logits, model(images).logits)
    assert output.features.shape == (2, segmenter.feature_dim, *output.logits.shape[2:])
    assert (segmenter.num_classes, segmenter.feature_dim) == (5, 16)
    # The features are what the classifier sees.
    expected = model.decode_head.classifier(output.features)
    torch.testing.assert_close(output.logits, expected)


def test_default_preprocessing_by_hand() -> None:
    frame = frames_of((32, 40))
    expected = (frame[0].permute(1, 2, 0).numpy() / 255 - [0.485, 0.456, 0.406]) / [
        0.229,
        0.224,
        0.225,
    ]
    images = SegformerSegmenter(small_model()).preprocess(frame)
    np.testing.assert_allclose(images[0].permute(1, 2, 0).numpy(), expected, atol=1e-6)


def test_settings_are_read_from_the_models_folder(tmp_path: Path) -> None:
    small_model().save_pretrained(tmp_path)
    settings = {
        "do_resize": True,
        "size": {"height": 64, "width": 96},
        "do_rescale": True,
        "rescale_factor": 1 / 127.5,
        "do_normalize": True,
        "image_mean": [1.0, 1.0, 1.0],
        "image_std": [2.0, 2.0, 2.0],
    }
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    loaded = SegformerForSemanticSegmentation.from_pretrained(tmp_path)
    segmenter = SegformerSegmenter(loaded)
    images = segmenter.preprocess(frames_of((97, 131)))
    assert images.shape == (1, 3, 64, 96)
    assert float(images.max()) <= 0.5 + 1e-5
    white = torch.full((1, 3, 40, 40), 255, dtype=torch.uint8)
    torch.testing.assert_close(
        segmenter.preprocess(white), torch.full((1, 3, 64, 96), 0.5), atol=1e-5, rtol=0
    )
    own = SegformerSegmenter(loaded, settings={"do_resize": False})
    assert own.preprocess(white).shape == (1, 3, 40, 40)


def test_loaded_from_a_folder_without_settings(tmp_path: Path) -> None:
    small_model().save_pretrained(tmp_path)
    loaded = SegformerForSemanticSegmentation.from_pretrained(tmp_path)
    assert SegformerSegmenter(loaded).preprocess(frames_of((40, 48))).shape == (1, 3, 40, 48)


def test_square_size_and_sizes_that_mean_nothing() -> None:
    model = small_model()
    square = SegformerSegmenter(model, settings={"do_resize": True, "size": 64})
    assert square.preprocess(frames_of((97, 131))).shape == (1, 3, 64, 64)
    edge = SegformerSegmenter(model, settings={"do_resize": True, "size": {"shortest_edge": 64}})
    assert edge.preprocess(frames_of((97, 131))).shape == (1, 3, 64, 86)
    with pytest.raises(InputError, match="max_height"):
        SegformerSegmenter(model, settings={"do_resize": True, "size": {"max_height": 64}})


def test_too_small_frames() -> None:
    model = wrap(small_model())
    with pytest.raises(ShapeError, match="at least 32"):
        model(toy_video(1, size=(31, 64))[0])
    assert model(toy_video(1, size=(32, 64))[0]).shape == (32, 64)


def test_model_without_a_decode_head() -> None:
    with pytest.raises(InputError, match="SegformerModel has no"):
        SegformerSegmenter(SegformerModel(small_config()))  # type: ignore[arg-type]


def test_half_precision_model() -> None:
    model = small_model().to(torch.bfloat16)
    segmenter = SegformerSegmenter(model)
    assert segmenter.preprocess(frames_of((40, 48))).dtype == torch.bfloat16
    frames = toy_video(4, size=(40, 48))
    video_model = wrap(model)
    video_model.adapt(frames[:3])
    assert video_model.predict(frames[3]).probabilities.dtype == torch.float32


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_wrap_finds_it_and_it_adapts_a_train_mode_model(preset: str) -> None:
    model = small_model().train()
    with torch.no_grad():
        model.decode_head.classifier.weight.mul_(100)
    config = prompting(AdaptConfig.paper(), 0.0) if preset == "paper" else AdaptConfig()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    frames = toy_video(5, size=(64, 80))
    video_model = wrap(model, config=config)
    assert isinstance(video_model.segmenter, SegformerSegmenter)
    assert video_model.segmenter.model is model
    assert video_model.adapt(frames[:4]).adapted
    assert video_model(frames[4]).shape == (64, 80)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
