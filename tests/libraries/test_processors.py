"""Frames become what the libraries' own processors make of them."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt.models.carried import preprocessing_for

SIZES = ((97, 131), (240, 320), (333, 201))

# As their own classes have them, and with what checkpoints change.
TRANSFORMERS: dict[str, list[dict[str, Any]]] = {
    "SegformerImageProcessor": [{}, {"do_resize": False}, {"size": {"height": 64, "width": 96}}],
    "BeitImageProcessor": [{}, {"do_normalize": False}],
    "DPTImageProcessor": [{}, {"keep_aspect_ratio": True, "ensure_multiple_of": 32}],
    "MobileNetV2ImageProcessor": [{"do_center_crop": False}],
    "MobileViTImageProcessor": [{"do_center_crop": False}],
    "Mask2FormerImageProcessor": [{}, {"size": {"shortest_edge": 100, "longest_edge": 150}}],
    "MaskFormerImageProcessor": [{"size": {"shortest_edge": 90, "longest_edge": 1333}}],
    "OneFormerImageProcessor": [{"size": {"shortest_edge": 90, "longest_edge": 1333}}],
    "EomtImageProcessor": [{"size": {"height": 96, "width": 96}}],
    "Sapiens2ImageProcessor": [{"size": {"height": 128, "width": 96}}],
    "ViTImageProcessor": [{}],
}
CASES = [(name, options) for name, several in TRANSFORMERS.items() for options in several]


def frame_of(size: tuple[int, int]) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, size[0] // 6, size[1] // 6, generator=generator)
    return (torch.nn.functional.interpolate(coarse, size, mode="bicubic").clamp(0, 1) * 255).byte()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_image_processors_of_transformers(
    name: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    import transformers

    processor = getattr(transformers, name)(**options)
    frame = frame_of(size)
    own = processor(images=frame[0], return_tensors="pt")["pixel_values"]
    ours = preprocessing_for(torch.nn.Conv2d(3, 3, 1), processor)(frame)
    assert ours.shape == own.shape
    torch.testing.assert_close(ours, own, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["Segformer", "Beit", "Mask2Former"])
def test_pillow_differs_by_a_grey_level(name: str) -> None:
    import transformers

    size = {"size": {"height": 64, "width": 96}}
    processor = getattr(transformers, f"{name}ImageProcessorPil")(**size)
    frame = frame_of((97, 131))
    image = np.ascontiguousarray(frame[0].permute(1, 2, 0).numpy())
    own = processor(images=image, return_tensors="pt")["pixel_values"]
    ours = preprocessing_for(torch.nn.Conv2d(3, 3, 1), processor)(frame)
    level = 1 / 255 / min(processor.image_std)
    assert float((ours - torch.as_tensor(own)).abs().max()) <= 1.01 * level


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("weights", ["FCN_ResNet50_Weights", "DeepLabV3_ResNet101_Weights"])
def test_transforms_of_torchvisions_weights(weights: str, size: tuple[int, int]) -> None:
    from torchvision.models import segmentation

    transforms = getattr(segmentation, weights).DEFAULT.transforms
    frame = frame_of(size)
    own = transforms()(frame[0])
    for given in (transforms, transforms()):
        ours = preprocessing_for(torch.nn.Conv2d(3, 3, 1), given)(frame)
        torch.testing.assert_close(ours[0], own, atol=1e-6, rtol=0)


def test_a_composition_of_torchvision() -> None:
    from torchvision.transforms import v2

    composed = v2.Compose(
        [
            v2.Resize((64, 96), antialias=True),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.25] * 3),
        ]
    )
    frame = frame_of((97, 131))
    ours = preprocessing_for(torch.nn.Conv2d(3, 3, 1), composed)(frame)
    torch.testing.assert_close(ours[0], composed(frame[0]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("space", ["RGB", "BGR"])
@pytest.mark.parametrize("scale", [1, 255])
def test_functions_of_segmentation_models_pytorch(space: str, scale: int) -> None:
    import functools

    from segmentation_models_pytorch.encoders._preprocessing import preprocess_input

    settings = {
        "mean": [0.1 * scale, 0.2 * scale, 0.3 * scale],
        "std": [0.5 * scale, 0.6 * scale, 0.7 * scale],
        "input_space": space,
        "input_range": [0, scale],
    }
    frame = frame_of((97, 131))
    own = preprocess_input(frame[0].permute(1, 2, 0).numpy().astype(float), **settings)
    for given in (settings, functools.partial(preprocess_input, **settings)):
        ours = preprocessing_for(torch.nn.Conv2d(3, 3, 1), given)(frame)
        expected = torch.from_numpy(own).permute(2, 0, 1).float()
        torch.testing.assert_close(ours[0], expected, atol=2e-6, rtol=1e-5)


def test_what_a_backbone_of_timm_carries() -> None:
    import timm

    model = torch.nn.Sequential(timm.create_model("resnet18", features_only=True))
    preprocessing = preprocessing_for(model)
    assert str(preprocessing) == "as pretrained_cfg of 0 says"
    vit = torch.nn.Sequential(timm.create_model("vit_tiny_patch16_224", features_only=True))
    settings: Any = preprocessing_for(vit)
    assert tuple(settings.settings["image_mean"]) == (0.5, 0.5, 0.5)
