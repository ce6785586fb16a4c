"""OCRNet: the adapter against mmsegmentation's own models, and against the authors' layout."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import AdaptConfig, InputError, wrap
from ditta_adapt.adapters.ocrnet import OCRNetSegmenter
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.testing.segmenter_case import tensors_in
from tests.adapters.ocrnet_models import (
    CLASSES,
    IMAGENET,
    authors_ocrnet,
    build,
    frames_of,
    head,
    ocrnet,
    old_library,
    plain,
)
from tests.toys import prompting, toy_video


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (48, 96)])
def test_ocrnet_is_the_models_own_forward(models: Any, size: tuple[int, int]) -> None:
    model = ocrnet(models)
    segmenter = OCRNetSegmenter(model)
    images = segmenter.preprocess(frames_of(size, batch=2))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        assert torch.equal(output.logits, model(images, mode="tensor"))
        # The features are what the classifier sees.
        torch.testing.assert_close(model.decode_head[1].conv_seg(output.features), output.logits)
    assert len(output.logits.argmax(1).unique()) > 1
    assert output.features.shape == (2, 16, *output.logits.shape[2:])
    assert (segmenter.num_classes, segmenter.feature_dim) == (CLASSES, 16)


@pytest.mark.parametrize("size", [(97, 131), (48, 96)])
def test_labels_are_those_of_the_model_as_it_predicts(models: Any, size: tuple[int, int]) -> None:
    """By mmsegmentation's own `predict`, resizing and all."""
    from mmengine import ConfigDict

    model = ocrnet(models)
    model.test_cfg = ConfigDict(mode="whole")
    frame = toy_video(1, size=size)[0]
    about = {"ori_shape": size, "img_shape": size, "pad_shape": size, "padding_size": [0] * 4}
    with torch.no_grad(), old_library():
        images = OCRNetSegmenter(model).preprocess(frames_of(size))
        logits = model.inference(images, [about])
    assert torch.equal(wrap(model)(frame), logits.argmax(1)[0])


@pytest.mark.filterwarnings("ignore:When align_corners=True")
@pytest.mark.parametrize("mode", ["whole", "slide"])
@pytest.mark.parametrize("align_corners", [True, False])
@pytest.mark.parametrize("size", [(97, 131), (60, 84)])
def test_what_the_model_does_around_its_head_is_done(
    models: Any, size: tuple[int, int], align_corners: bool, mode: str
) -> None:
    from mmengine import ConfigDict

    model = ocrnet(models, align_corners=align_corners)
    model.test_cfg = ConfigDict(mode=mode, crop_size=(64, 64), stride=(32, 32))
    about = {"ori_shape": size, "img_shape": size, "pad_shape": size, "padding_size": [0] * 4}
    with torch.no_grad(), old_library():
        video_model = wrap(model)
        images = video_model.segmenter.preprocess(frames_of(size))
        own = model.inference(images, [about]).argmax(1)[0]
        labels = video_model(toy_video(1, size=size)[0])
    assert len(own.unique()) > 1
    assert float((labels != own).double().mean()) <= 1e-4


# DAHead has its dropout in front of three classifiers and returns all three; the others have one.
PLAIN = {
    "FCNHead": ({"num_convs": 1}, 16),
    "ASPPHead": ({"dilations": (1, 2), "dropout_ratio": 0}, 16),
    "DAHead": ({"pam_channels": 4}, 16),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_other_heads_are_the_models_own_forward(models: Any, kind: str) -> None:
    settings, dim = PLAIN[kind]
    model = plain(models, kind, **settings)
    segmenter = OCRNetSegmenter(model)
    images = segmenter.preprocess(frames_of((65, 80)))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        own = model(images, mode="tensor")
        torch.testing.assert_close(model.decode_head.conv_seg(output.features), output.logits)
    assert torch.equal(output.logits, own if isinstance(own, Tensor) else own[0])
    assert (segmenter.num_classes, segmenter.feature_dim) == (CLASSES, dim)


def test_synchronised_batch_norm_on_one_device(models: Any) -> None:
    # What the released configurations have.
    model = plain(models, "FCNHead")
    synchronised = nn.SyncBatchNorm.convert_sync_batchnorm(model).eval()
    segmenter = OCRNetSegmenter(synchronised)
    with torch.no_grad():
        images = segmenter.preprocess(frames_of((64, 80)))
        logits = segmenter.decode(segmenter.encode(images)).logits
        assert torch.equal(logits, synchronised(images, mode="tensor"))


def test_a_neck_belongs_to_the_encoder(models: Any) -> None:
    neck = {"type": "FPN", "in_channels": [4, 8, 12, 16], "out_channels": 8, "num_outs": 4}
    model = build(
        models, "EncoderDecoder", head("FCNHead", in_channels=[8] * 4, num_convs=1), neck=neck
    )
    segmenter = OCRNetSegmenter(model)
    images = segmenter.preprocess(frames_of((64, 80)))
    with torch.no_grad():
        encoded = segmenter.encode(images)
        (maps,) = encoded[1]["neck"]
        assert [tensor.shape[1] for tensor in maps] == [8] * 4
        assert torch.equal(segmenter.decode(encoded).logits, model(images, mode="tensor"))


def test_features_are_taken_before_dropout(models: Any) -> None:
    model = ocrnet(models, dropout=0.5)
    model.decode_head[1].dropout.train()
    segmenter = OCRNetSegmenter(model)
    with torch.no_grad():
        encoded = segmenter.encode(segmenter.preprocess(frames_of((64, 80))))
        torch.manual_seed(0)
        first, second = segmenter.decode(encoded), segmenter.decode(encoded)
    assert torch.equal(first.features, second.features)
    assert not torch.equal(first.logits, second.logits)


@pytest.mark.parametrize("swap", [True, False])
@pytest.mark.parametrize("normalise", [True, False])
def test_preprocessing_is_that_of_the_models_data_preprocessor(
    models: Any, swap: bool, normalise: bool
) -> None:
    settings = {
        "type": "SegDataPreProcessor",
        "bgr_to_rgb": swap,
        **(IMAGENET if normalise else {}),
    }
    model = build(models, "EncoderDecoder", head("FCNHead"), data_preprocessor=settings)
    frame = frames_of((40, 48))
    # mmsegmentation reads files as BGR.
    own = model.data_preprocessor({"inputs": [frame[0].flip(0)]})["inputs"]
    torch.testing.assert_close(OCRNetSegmenter(model).preprocess(frame), own)


def test_one_output_channel_is_two_classes(models: Any) -> None:
    size = (97, 131)
    model = plain(models, "FCNHead", num_classes=2, out_channels=1, threshold=0.3)
    frame = toy_video(1, size=size)[0]
    with torch.no_grad(), old_library():
        video_model = wrap(model)
        images = video_model.segmenter.preprocess(frames_of(size))
        own = model.encode_decode(images, [{"img_shape": size, "pad_shape": size}])[0, 0]
    assert video_model.segmenter.num_classes == 2
    labels = video_model(frame)
    assert torch.equal(labels, (own.sigmoid() > 0.3).long())
    assert len(labels.unique()) == 2


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (48, 96)])
@pytest.mark.parametrize("backbone", [True, False])
@pytest.mark.parametrize("convolution", ["conv3x3_ocr", "conv3x3"])
def test_the_authors_layout_is_the_models_own_forward(
    size: tuple[int, int], backbone: bool, convolution: str
) -> None:
    model = authors_ocrnet(backbone=backbone, convolution=convolution)
    segmenter = OCRNetSegmenter(model)
    images = segmenter.preprocess(frames_of(size, batch=2))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        assert torch.equal(output.logits, model(images)[1])
        assert torch.equal(model.cls_head(output.features), output.logits)
    assert (segmenter.num_classes, segmenter.feature_dim) == (CLASSES, 10)


def test_normalisation_by_hand() -> None:
    frame = frames_of((32, 40))
    rgb = frame[0].permute(1, 2, 0).numpy() / 255
    expected = (rgb - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    images = OCRNetSegmenter(authors_ocrnet()).preprocess(frame)
    np.testing.assert_allclose(images[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)
    own = OCRNetSegmenter(authors_ocrnet(), mean=(0.1, 0.2, 0.3), std=(1, 2, 4), bgr=True)
    expected = ((rgb - [0.1, 0.2, 0.3]) / [1, 2, 4])[..., ::-1]
    np.testing.assert_allclose(
        own.preprocess(frame)[0].permute(1, 2, 0).numpy(), expected, atol=1e-5
    )
    half = OCRNetSegmenter(authors_ocrnet().to(torch.bfloat16))
    assert half.preprocess(frame).dtype == torch.bfloat16


def test_what_it_is_not_made_for() -> None:
    with pytest.raises(InputError, match="Sequential has neither extract_feat"):
        OCRNetSegmenter(nn.Sequential(nn.Conv2d(3, 4, 1)))
    with pytest.raises(InputError, match="belong together"):
        OCRNetSegmenter(authors_ocrnet(), mean=(0, 0, 0))


def build_ocrnet(request: pytest.FixtureRequest) -> Any:
    return ocrnet(request.getfixturevalue("models"))


def build_plain(request: pytest.FixtureRequest) -> Any:
    return plain(request.getfixturevalue("models"), "FCNHead", num_convs=1)


def build_authors(request: pytest.FixtureRequest) -> Any:
    return authors_ocrnet()


ALL = pytest.mark.parametrize(
    ("builder", "frozen"),
    [
        (build_ocrnet, ("backbone",)),
        (build_plain, ("backbone",)),
        (build_authors, ("conv1", "stage2")),
    ],
)


@ALL
def test_gradients_reach_exactly_the_adaptable_modules(
    builder: Any, frozen: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    segmenter = private_copy(OCRNetSegmenter(builder(request)))
    with torch.no_grad():
        encoded = segmenter.encode(segmenter.preprocess(frames_of((64, 80))))
        before = [tensor.clone() for tensor in tensors_in(encoded)]
    output = segmenter.decode(encoded)
    (output.logits.square().sum() + output.features.sum()).backward()
    adaptable = {id(parameter) for parameter in adaptable_parameters(segmenter)}
    for name, parameter in segmenter.model.named_parameters():
        assert (parameter.grad is not None) == (id(parameter) in adaptable), name
        assert (id(parameter) in adaptable) == (not name.startswith(frozen)), name
    assert all(torch.equal(a, b) for a, b in zip(before, tensors_in(encoded), strict=True))


@ALL
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_it_adapts_and_streams_and_leaves_a_train_mode_model_alone(
    builder: Any, frozen: tuple[str, ...], request: pytest.FixtureRequest, preset: str
) -> None:
    model = builder(request).train()
    config = prompting(AdaptConfig.paper(), 0.0) if preset == "paper" else AdaptConfig()
    config = replace(config, safety=None, training=replace(config.training, passes=1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    frames = toy_video(4, size=(64, 80))
    video_model = wrap(OCRNetSegmenter(model), propagator=OpticalFlowPropagator(), config=config)
    assert video_model.adapt(frames[:3]).adapted
    assert video_model(frames[3]).shape == (64, 80)
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
