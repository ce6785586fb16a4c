"""The one-line recipes of docs/models.md, each with a small random model of its class."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn

from ditta_adapt import AdaptConfig, AttentionAddon, HookedSegmenter, Training, wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.models.private_copy import private_copy
from tests.toys import toy_video

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
RECIPES = dict(re.findall(r"^\| `(\w+)` \| `(.+)` \|$", PAGE, re.MULTILINE))
CLASSES = 5

VIT = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 64,
    "patch_size": 16,
    "num_labels": CLASSES,
    "auxiliary_channels": 8,
}


def upernet() -> nn.Module:
    backbone = transformers.ConvNextConfig(
        hidden_sizes=[8, 12, 16, 24],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.UperNetConfig(
        backbone_config=backbone,
        hidden_size=16,
        auxiliary_in_channels=16,
        auxiliary_channels=8,
        num_labels=CLASSES,
    )
    return transformers.UperNetForSemanticSegmentation(config)


def beit() -> nn.Module:
    config = transformers.BeitConfig(**VIT, out_indices=[1, 2, 3, 4])
    return transformers.BeitForSemanticSegmentation(config)


def data2vec() -> nn.Module:
    config = transformers.Data2VecVisionConfig(**VIT, out_indices=[1, 2, 3, 4])
    return transformers.Data2VecVisionForSemanticSegmentation(config)


def dpt() -> nn.Module:
    config = transformers.DPTConfig(
        **VIT | {"image_size": 384},
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=16,
    )
    return transformers.DPTForSemanticSegmentation(config)


def mobilenet() -> nn.Module:
    config = transformers.MobileNetV2Config(depth_multiplier=0.25, num_labels=CLASSES)
    return transformers.MobileNetV2ForSemanticSegmentation(config)


def mobilevit() -> nn.Module:
    config = transformers.MobileViTConfig(
        hidden_sizes=[16, 20, 24],
        neck_hidden_sizes=[8, 8, 12, 16, 20, 24, 32],
        num_attention_heads=2,
        aspp_out_channels=16,
        num_labels=CLASSES,
    )
    return transformers.MobileViTForSemanticSegmentation(config)


def mobilevit2() -> nn.Module:
    config = transformers.MobileViTV2Config(
        width_multiplier=0.25, aspp_out_channels=16, num_labels=CLASSES
    )
    return transformers.MobileViTV2ForSemanticSegmentation(config)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "UperNetForSemanticSegmentation": upernet,
    "BeitForSemanticSegmentation": beit,
    "Data2VecVisionForSemanticSegmentation": data2vec,
    "DPTForSemanticSegmentation": dpt,
    "MobileNetV2ForSemanticSegmentation": mobilenet,
    "MobileViTForSemanticSegmentation": mobilevit,
    "MobileViTV2ForSemanticSegmentation": mobilevit2,
}
ALL = pytest.mark.parametrize("name", MODELS)


def build(name: str) -> Any:
    """As after training: batch statistics of images, and labels that differ between pixels."""
    torch.manual_seed(0)
    model: Any = MODELS[name]()
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    side = getattr(model.config, "image_size", 64)
    with torch.no_grad():
        model.train()
        model((frames_of((side, side), batch=2).float() - 110) / 60)
    return model.eval()


def segmenter_of(name: str, model: Any) -> HookedSegmenter:
    names: dict[str, Any] = {"model": model, "HookedSegmenter": HookedSegmenter}
    for block in re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL):
        exec(block, names)
    segmenter = eval(RECIPES[name], names)
    assert isinstance(segmenter, HookedSegmenter)
    return segmenter


def frames_of(size: tuple[int, int], batch: int = 1) -> Tensor:
    return torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in toy_video(batch, size)])


def test_every_recipe_has_a_model() -> None:
    assert set(RECIPES) == set(MODELS)


@ALL
@pytest.mark.parametrize("size", [(64, 80), (97, 131)])
def test_decode_of_encode_is_the_models_own_forward(name: str, size: tuple[int, int]) -> None:
    model = build(name)
    segmenter = segmenter_of(name, model)
    images = segmenter.preprocess(frames_of(size, batch=2))
    with torch.no_grad():
        encoded = segmenter.encode(images)
        output = segmenter.decode(encoded)
        again = segmenter.decode(encoded)
        own = model(images).logits
    assert torch.equal(output.logits, again.logits)
    logits = output.logits
    if own.shape != logits.shape:
        assert name == "UperNetForSemanticSegmentation"
        logits = F.interpolate(logits, own.shape[2:], mode="bilinear", align_corners=False)
    assert torch.equal(logits, own)
    # As the configurations above say; MobileNetV2's head has this size built in.
    feature_dim = 256 if name == "MobileNetV2ForSemanticSegmentation" else 16
    assert (segmenter.num_classes, segmenter.feature_dim) == (CLASSES, feature_dim)
    assert output.features.shape == (2, feature_dim, *output.logits.shape[2:])


@pytest.mark.parametrize("name", [name for name in MODELS if "MobileViT" in name])
def test_mobilevit_takes_bgr_in_0_to_1(name: str) -> None:
    frame = frames_of((32, 40))
    images = segmenter_of(name, build(name)).preprocess(frame)
    blue_green_red = torch.stack([frame[:, 2], frame[:, 1], frame[:, 0]], 1)
    torch.testing.assert_close(images, blue_green_red / 255)


@ALL
def test_gradients_reach_exactly_the_adaptable_parameters(name: str) -> None:
    segmenter = private_copy(segmenter_of(name, build(name)))
    with torch.no_grad():
        encoded = segmenter.encode(segmenter.preprocess(frames_of((64, 80))))
    segmenter.decode(encoded).logits.square().sum().backward()
    adaptable = {id(parameter) for parameter in adaptable_parameters(segmenter)}
    for key, parameter in segmenter.model.named_parameters():
        assert (parameter.grad is not None) == (id(parameter) in adaptable), key


@ALL
def test_it_adapts_and_streams(name: str) -> None:
    model = build(name)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    frames = toy_video(3, size=(64, 80))
    config = AdaptConfig(training=Training(passes=1), memory=AttentionAddon(radius=2))
    video_model = wrap(segmenter_of(name, model), propagator=OpticalFlowPropagator(), config=config)
    assert video_model.adapt(frames[:2]).adapted
    labels = video_model(frames[2])
    assert labels.shape == (64, 80)
    assert video_model.predict(frames[2]).probabilities.isfinite().all()
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())


def test_dpt_with_its_neck() -> None:
    model = build("DPTForSemanticSegmentation")
    segmenter = HookedSegmenter(
        model, adapt=["neck.*", "head.*"], features="head.head.2", size=(64, 64)
    )
    images = segmenter.preprocess(frames_of((64, 80)))
    with torch.no_grad():
        assert torch.equal(segmenter.decode(segmenter.encode(images)).logits, model(images).logits)
    adapted = {id(p) for p in adaptable_parameters(segmenter)}
    assert adapted == {id(p) for part in (model.neck, model.head) for p in part.parameters()}
