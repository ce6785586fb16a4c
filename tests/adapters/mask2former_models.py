"""Small Mask2Former and MaskFormer models with random weights."""

from typing import Any

import pytest
import torch

pytest.importorskip("scipy", reason="transformers builds both models only with scipy")

from transformers import (
    DetrConfig,
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    MaskFormerConfig,
    MaskFormerForInstanceSegmentation,
    SwinConfig,
)

# The processors without "Pil" need torchvision.

CLASSES, MASK_FEATURES = 5, 16


def small_swin() -> SwinConfig:
    return SwinConfig(
        image_size=64,
        embed_dim=8,
        depths=[1, 1, 1, 1],
        num_heads=[1, 1, 2, 2],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )


def small_mask2former(**changes: Any) -> Mask2FormerForUniversalSegmentation:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "backbone_config": small_swin(),
        "feature_size": 32,
        "mask_feature_size": MASK_FEATURES,
        "hidden_dim": 32,
        "encoder_feedforward_dim": 32,
        "encoder_layers": 1,
        "decoder_layers": 4,
        "num_attention_heads": 2,
        "dim_feedforward": 32,
        "num_queries": 6,
        "num_labels": CLASSES,
    }
    model = Mask2FormerForUniversalSegmentation(Mask2FormerConfig(**settings | changes)).eval()
    transformer = model.model.transformer_module
    mask_embedder = transformer.decoder.mask_predictor.mask_embedder
    # As torch draws them: before 5.23 transformers does so with a fiftieth of the spread.
    for module in (*transformer.children(), *mask_embedder.modules()):
        if isinstance(module, (torch.nn.Embedding, torch.nn.Linear)):
            module.reset_parameters()
    return sharpen(model, mask_embedder)


def small_maskformer(**changes: Any) -> MaskFormerForInstanceSegmentation:
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "backbone_config": small_swin(),
        "decoder_config": DetrConfig(
            encoder_layers=1,
            decoder_layers=2,
            decoder_attention_heads=2,
            decoder_ffn_dim=32,
            d_model=32,
            num_queries=6,
        ),
        "fpn_feature_size": 32,
        "mask_feature_size": MASK_FEATURES,
        "num_labels": CLASSES,
    }
    model = MaskFormerForInstanceSegmentation(MaskFormerConfig(**settings | changes)).eval()
    return sharpen(model, model.mask_embedder)


def sharpen(model: Any, mask_embedder: torch.nn.Module) -> Any:
    """Queries that differ in class and mask, so that label maps have several classes."""
    *_, last = (m for m in mask_embedder.modules() if isinstance(m, torch.nn.Linear))
    with torch.no_grad():
        last.weight.mul_(100)
        for name, parameter in model.model.transformer_module.named_parameters():
            if "q_proj" in name or "queries" in name:
                parameter.mul_(100)
        model.class_predictor.weight.mul_(60)
        model.class_predictor.bias[-1] -= 2
    return model


BOTH = pytest.mark.parametrize("build", [small_mask2former, small_maskformer])
