"""Mask2Former and MaskFormer: the adapter against transformers' own models and post-processing."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("scipy", reason="transformers builds both models only with scipy")

from transformers import (
    Mask2FormerForUniversalSegmentation,
    Mask2FormerModel,
    ResNetConfig,
)

# The processors without "Pil" need torchvision.
from transformers.models.mask2former.image_processing_pil_mask2former import (
    Mask2FormerImageProcessorPil,
)
from transformers.models.maskformer.image_processing_pil_maskformer import (
    MaskFormerImageProcessorPil,
)

from ditta_adapt import AdaptConfig, InputError, wrap
from ditta_adapt.adapters.mask2former import Mask2FormerSegmenter, semantic_log_scores
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.models.parameters import adaptable_parameters
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.testing.segmenter_case import tensors_in
from tests.adapters.mask2former_models import (
    BOTH,
    CLASSES,
    MASK_FEATURES,
    small_mask2former,
    small_maskformer,
)
from tests.toys import prompting, toy_video


def frames_of(size: tuple[int, int], batch: int = 1) -> torch.Tensor:
    return torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in toy_video(batch, size)])


def distribution(class_logits: torch.Tensor, mask_logits: torch.Tensor) -> torch.Tensor:
    """The documented semantic inference, in probabilities and float64, then normalised."""
    classes = class_logits.double().softmax(-1)[..., :-1]
    scores = torch.zeros(len(classes), classes.shape[-1], *mask_logits.shape[2:]).double()
    for q in range(classes.shape[1]):
        scores += classes[:, q, :, None, None] * mask_logits[:, q, None].double().sigmoid()
    return scores / scores.sum(1, keepdim=True)


@BOTH
@pytest.mark.parametrize("size", [(32, 32), (97, 131), (64, 96), (9, 16)])
def test_softmax_of_decode_is_the_distribution_of_the_models_own_forward(
    build: Any, size: tuple[int, int]
) -> None:
    model = build()
    segmenter = Mask2FormerSegmenter(model)
    images = segmenter.preprocess(frames_of(size, batch=2))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        own = model(images)
    expected = distribution(own.class_queries_logits, own.masks_queries_logits)
    torch.testing.assert_close(output.logits.softmax(1).double(), expected, atol=1e-6, rtol=1e-4)
    assert torch.equal(output.features, own.pixel_decoder_last_hidden_state)
    assert (segmenter.num_classes, segmenter.feature_dim) == (CLASSES, MASK_FEATURES)
    assert output.features.shape[2:] == output.logits.shape[2:]


def test_labels_are_those_of_maskformers_own_post_processing() -> None:
    # In float64, since a tie of two classes may fall either way in float32.
    model = small_maskformer().double()
    segmenter = Mask2FormerSegmenter(model)
    images = segmenter.preprocess(frames_of((97, 131), batch=2))
    with torch.no_grad():
        labels = segmenter.decode(segmenter.encode(images)).logits.argmax(1)
        own = MaskFormerImageProcessorPil().post_process_semantic_segmentation(model(images))
    assert torch.equal(labels, torch.stack(own))
    assert len(labels.unique()) > 2


def test_labels_are_those_of_mask2formers_own_post_processing() -> None:
    generator = torch.Generator().manual_seed(1)
    classes = 3 * torch.randn(2, 6, CLASSES + 1, generator=generator)
    # On the grid that the post-processing resizes to, so that it changes nothing.
    masks = 5 * torch.randn(2, 6, 384, 384, generator=generator)
    outputs = SimpleNamespace(class_queries_logits=classes, masks_queries_logits=masks)
    own = Mask2FormerImageProcessorPil().post_process_semantic_segmentation(outputs)
    labels = semantic_log_scores(classes, masks).argmax(1)
    assert torch.equal(labels, torch.stack(own))
    assert len(labels.unique()) == CLASSES


@pytest.mark.parametrize("auxiliary", [False, True])
def test_maskformer_with_and_without_auxiliary_loss(auxiliary: bool) -> None:
    model = small_maskformer(use_auxiliary_loss=auxiliary)
    segmenter = Mask2FormerSegmenter(model)
    images = segmenter.preprocess(frames_of((40, 48)))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        own = model(images, output_hidden_states=auxiliary)
    expected = distribution(own.class_queries_logits, own.masks_queries_logits)
    torch.testing.assert_close(output.logits.softmax(1).double(), expected, atol=1e-6, rtol=1e-4)


def test_a_resnet_backbone() -> None:
    backbone = ResNetConfig(
        embedding_size=8,
        hidden_sizes=[8, 16, 24, 32],
        depths=[1, 1, 1, 1],
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    model = small_maskformer(backbone_config=backbone)
    segmenter = Mask2FormerSegmenter(model)
    images = segmenter.preprocess(frames_of((64, 80)))
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(images))
        own = model(images)
    expected = distribution(own.class_queries_logits, own.masks_queries_logits)
    torch.testing.assert_close(output.logits.softmax(1).double(), expected, atol=1e-6, rtol=1e-4)


# Class logits of two queries over (class 0, class 1, no object), mask logits at one pixel, and
# the distribution of the two classes by hand.
BY_HAND = {
    # 0.5 * 1/2 + 0.25 * 1/2 against 0.25 * 1/2 + 0.25 * 1/2 (the rest is "no object").
    "mixed": ([[np.log(2), 0, 0], [0, 0, np.log(2)]], [0, 0], [3 / 5, 2 / 5]),
    # exp(-1000) of three parts for class 0 and one for class 1, in each query.
    "all say no object": ([[np.log(3), 0, 1000]] * 2, [0, 0], [3 / 4, 1 / 4]),
    "all masks off": ([[np.log(3), 0, 0]] * 2, [-1000, -1000], [3 / 4, 1 / 4]),
    # Query 0 knows the class and is off here; query 1 is on, and nearly sure of "no object".
    "off by 200 wins over 300": ([[50, 0, 0], [0, 50, 350]], [-200, 10], [1, 0]),
    "off by 300 loses to 200": ([[50, 0, 0], [0, 50, 250]], [-300, 10], [0, 1]),
    "equally unlikely": ([[400, 0, 0], [0, 400, 700]], [-300, 400], [1 / 2, 1 / 2]),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("case", BY_HAND)
def test_log_scores_by_hand(case: str, dtype: torch.dtype) -> None:
    classes, masks, expected = BY_HAND[case]
    class_logits = torch.tensor([classes], dtype=dtype, requires_grad=True)
    mask_logits = torch.tensor(masks, dtype=dtype).reshape(1, 2, 1, 1).requires_grad_()
    logits = semantic_log_scores(class_logits, mask_logits)
    assert logits.dtype == dtype
    assert torch.isfinite(logits).all()
    torch.testing.assert_close(
        logits.softmax(1)[0, :, 0, 0].detach(),
        torch.tensor(expected, dtype=dtype),
        atol=1e-5 if dtype == torch.float32 else 1e-12,
        rtol=0,
    )
    logits[:, 0].sum().backward()
    for leaf in (class_logits, mask_logits):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()


def test_log_scores_against_the_direct_formula_and_their_gradients() -> None:
    generator = torch.Generator().manual_seed(2)
    classes = 4 * torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)
    masks = 8 * torch.randn(2, 5, 3, 4, generator=generator, dtype=torch.float64)
    direct = distribution(classes, masks).log()
    torch.testing.assert_close(semantic_log_scores(classes, masks), direct, atol=1e-10, rtol=0)
    assert torch.autograd.gradcheck(
        semantic_log_scores, (classes.requires_grad_(), masks.requires_grad_())
    )


def test_log_scores_of_large_float32_logits_keep_gradients_finite() -> None:
    generator = torch.Generator().manual_seed(3)
    classes = (200 * torch.randn(1, 8, 6, generator=generator)).requires_grad_()
    masks = (200 * torch.randn(1, 8, 90, 160, generator=generator)).requires_grad_()
    logits = semantic_log_scores(classes, masks)
    logits.sum().backward()
    for tensor in (logits, classes.grad, masks.grad):
        assert tensor is not None
        assert torch.isfinite(tensor).all()


@BOTH
def test_gradients_reach_exactly_the_adaptable_modules(build: Any) -> None:
    segmenter = private_copy(Mask2FormerSegmenter(build()))
    images = segmenter.preprocess(frames_of((64, 80)))
    with torch.no_grad():
        encoded = segmenter.encode(images)
    output = segmenter.decode(encoded)
    (output.logits.square().sum() + output.features.square().sum()).backward()
    adaptable = {id(parameter) for parameter in adaptable_parameters(segmenter)}
    for name, parameter in segmenter.model.named_parameters():
        assert (parameter.grad is not None) == (id(parameter) in adaptable), name
        assert (id(parameter) in adaptable) == ("pixel_level_module.encoder" not in name), name


@BOTH
def test_decode_repeats_and_leaves_the_encoding_alone(build: Any) -> None:
    segmenter = Mask2FormerSegmenter(build())
    with torch.no_grad():
        encoded = segmenter.encode(segmenter.preprocess(frames_of((64, 80))))
        before = [tensor.clone() for tensor in tensors_in(encoded)]
        first, second = segmenter.decode(encoded), segmenter.decode(encoded)
    assert torch.equal(first.logits, second.logits)
    assert torch.equal(first.features, second.features)
    assert all(torch.equal(a, b) for a, b in zip(before, tensors_in(encoded), strict=True))


SIZES = {
    "none": {"do_resize": False},
    "fixed": {"size": {"height": 64, "width": 96}},
    "fixed, rounded up": {"size": {"height": 50, "width": 90}, "size_divisor": 32},
    "shortest edge": {"size": {"shortest_edge": 64, "longest_edge": 400}},
    "shortest edge, capped": {"size": {"shortest_edge": 64, "longest_edge": 70}},
    # At 37 x 200 the cap asks for a shorter side of 36.6, which is taken for 37: no change.
    "shortest edge, hardly capped": {
        "size": {"shortest_edge": 64, "longest_edge": 198},
        "size_divisor": 1,
    },
    "shortest edge, old form": {"size": 40, "max_size": 100, "size_divisor": 4},
    "own normalisation": {"do_resize": False, "image_mean": [0.5] * 3, "image_std": [0.25] * 3},
    "no normalisation": {"do_resize": False, "do_normalize": False, "rescale_factor": 1 / 127.5},
    "raw": {"do_resize": False, "do_normalize": False, "do_rescale": False},
}


@pytest.mark.parametrize("size", [(97, 131), (131, 97), (64, 64), (37, 200)])
@pytest.mark.parametrize("case", SIZES)
def test_preprocessing_is_that_of_the_models_own_processor(
    case: str, size: tuple[int, int]
) -> None:
    settings = {"do_resize": True} | SIZES[case]
    frame = toy_video(1, size)[0]
    processor = Mask2FormerImageProcessorPil(**settings)
    own = processor(frame, return_tensors="pt").pixel_values.float()
    # As it lies beside a checkpoint; the old form is no longer written.
    written = settings if "max_size" in settings else json.loads(processor.to_json_string())
    segmenter = Mask2FormerSegmenter(small_maskformer(), settings=written)
    images = segmenter.preprocess(frames_of(size))
    assert images.shape == own.shape
    # PIL resizes in fixed point.
    grey = processor.rescale_factor if processor.do_rescale else 1
    grey /= min(processor.image_std) if processor.do_normalize else 1
    tolerance = 1.01 * grey if settings["do_resize"] else 1e-4 * grey
    assert (images - own).abs().max() <= tolerance


def test_sizes_are_rounded_up_to_32_where_the_settings_name_no_divisor() -> None:
    settings = {"do_resize": True, "size": {"height": 50, "width": 70}}
    segmenter = Mask2FormerSegmenter(small_maskformer(), settings=settings)
    assert segmenter.preprocess(frames_of((40, 48))).shape == (1, 3, 64, 96)


def test_settings_are_read_from_the_models_folder(tmp_path: Path) -> None:
    small_mask2former().save_pretrained(tmp_path)
    frames = frames_of((40, 56))
    loaded = Mask2FormerForUniversalSegmentation.from_pretrained(tmp_path)
    assert Mask2FormerSegmenter(loaded).preprocess(frames).shape == (1, 3, 40, 56)
    Mask2FormerImageProcessorPil(
        size={"height": 64, "width": 96}, image_mean=[1.0] * 3, image_std=[2.0] * 3
    ).save_pretrained(tmp_path)
    white = torch.full((1, 3, 40, 40), 255, dtype=torch.uint8)
    images = Mask2FormerSegmenter(loaded).preprocess(white)
    torch.testing.assert_close(images, torch.zeros(1, 3, 64, 96), atol=1e-6, rtol=0)


def test_what_it_is_not_made_for() -> None:
    with pytest.raises(InputError, match="Mask2FormerModel is no model of transformers"):
        Mask2FormerSegmenter(Mask2FormerModel(small_mask2former().config))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="max_height"):
        Mask2FormerSegmenter(
            small_maskformer(), settings={"do_resize": True, "size": {"max_height": 5}}
        )


@BOTH
def test_half_precision_model(build: Any) -> None:
    model = build().to(torch.bfloat16)
    segmenter = Mask2FormerSegmenter(model)
    with torch.no_grad():
        output = segmenter.decode(segmenter.encode(segmenter.preprocess(frames_of((40, 48)))))
    assert output.logits.dtype == output.features.dtype == torch.bfloat16
    assert torch.isfinite(output.logits).all()


@BOTH
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_it_adapts_and_streams_and_leaves_a_train_mode_model_alone(build: Any, preset: str) -> None:
    model = build().train()
    config = prompting(AdaptConfig.paper(), 0.0) if preset == "paper" else AdaptConfig()
    config = replace(config, safety=None, training=replace(config.training, passes=1))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    frames = toy_video(4, size=(64, 80))
    video_model = wrap(
        Mask2FormerSegmenter(model), propagator=OpticalFlowPropagator(), config=config
    )
    assert video_model.adapt(frames[:3]).adapted
    assert video_model(frames[3]).shape == (64, 80)
    assert video_model.predict(frames[3]).probabilities.isfinite().all()
    assert model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
