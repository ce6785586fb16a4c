"""Every network of transformers that its auto classes list for segmentation, small."""

from collections.abc import Iterator
from typing import Any

import transformers as hf
from torch import nn

from benchmarks.coverage.network import Network
from benchmarks.coverage.queries import query_scores, task_processor

CLASSES = 5
STAGES = ["stage1", "stage2", "stage3", "stage4"]
RESNET = {
    "embedding_size": 8,
    "hidden_sizes": [8, 16, 24, 32],
    "depths": [1, 1, 1, 1],
    "out_features": STAGES,
}
SWIN = {
    "embed_dim": 8,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 2],
    "window_size": 4,
    "out_features": STAGES,
}
VIT = {
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": 64,
    "patch_size": 16,
    "num_labels": CLASSES,
}
QUERIES = {"num_queries": 6, "num_blocks": 2, "num_upscale_blocks": 1}


def networks() -> Iterator[Network]:
    """One by one."""
    dense: dict[str, tuple[type, type, dict[str, Any]]] = {
        "SegFormer": (
            hf.SegformerForSemanticSegmentation,
            hf.SegformerConfig,
            {
                "num_labels": CLASSES,
                "hidden_sizes": [8, 16, 20, 24],
                "depths": [1, 1, 1, 1],
                "decoder_hidden_size": 16,
            },
        ),
        "BEiT": (
            hf.BeitForSemanticSegmentation,
            hf.BeitConfig,
            VIT | {"out_indices": [1, 2, 3, 4], "auxiliary_channels": 8},
        ),
        "Data2Vec": (
            hf.Data2VecVisionForSemanticSegmentation,
            hf.Data2VecVisionConfig,
            VIT | {"out_indices": [1, 2, 3, 4], "auxiliary_channels": 8},
        ),
        "DPT": (
            hf.DPTForSemanticSegmentation,
            hf.DPTConfig,
            VIT
            | {
                "backbone_out_indices": [0, 1, 2, 3],
                "neck_hidden_sizes": [8, 8, 16, 16],
                "fusion_hidden_size": 16,
            },
        ),
        "MobileNetV2": (
            hf.MobileNetV2ForSemanticSegmentation,
            hf.MobileNetV2Config,
            {"depth_multiplier": 0.25, "num_labels": CLASSES},
        ),
        "MobileViT": (
            hf.MobileViTForSemanticSegmentation,
            hf.MobileViTConfig,
            {
                "hidden_sizes": [16, 20, 24],
                "neck_hidden_sizes": [8, 8, 12, 16, 20, 24, 32],
                "num_attention_heads": 2,
                "aspp_out_channels": 16,
                "num_labels": CLASSES,
            },
        ),
        "MobileViTV2": (
            hf.MobileViTV2ForSemanticSegmentation,
            hf.MobileViTV2Config,
            {"width_multiplier": 0.25, "aspp_out_channels": 16, "num_labels": CLASSES},
        ),
        "UPerNet, ConvNeXt": (
            hf.UperNetForSemanticSegmentation,
            hf.UperNetConfig,
            {
                "backbone_config": hf.ConvNextConfig(
                    hidden_sizes=[8, 12, 16, 24], depths=[1, 1, 1, 1], out_features=STAGES
                ),
                "hidden_size": 16,
                "auxiliary_in_channels": 16,
                "num_labels": CLASSES,
            },
        ),
        "UPerNet, Swin": (
            hf.UperNetForSemanticSegmentation,
            hf.UperNetConfig,
            {
                "backbone_config": hf.SwinConfig(**SWIN),
                "hidden_size": 16,
                "auxiliary_in_channels": 32,
                "num_labels": CLASSES,
            },
        ),
        "Sapiens2": (
            hf.Sapiens2ForSemanticSegmentation,
            hf.Sapiens2Config,
            VIT
            | {
                "num_key_value_heads_per_layer": [2] * 4,
                "num_key_value_attention_heads": 2,
                "num_first_full_attention_layers": 2,
                "num_last_full_attention_layers": 2,
                "head_config": {
                    "upsample_out_channels": [16, 16],
                    "upsample_kernel_sizes": [4, 4],
                    "conv_out_channels": [16],
                    "conv_kernel_sizes": [1],
                },
            },
        ),
    }
    for name, (kind, config, settings) in dense.items():
        yield Network("transformers", name, _maker(kind, config, settings))
    queries: dict[str, tuple[type, type, dict[str, Any]]] = {
        "MaskFormer": (hf.MaskFormerForInstanceSegmentation, hf.MaskFormerConfig, _maskformer()),
        "Mask2Former": (
            hf.Mask2FormerForUniversalSegmentation,
            hf.Mask2FormerConfig,
            _mask2former(),
        ),
        "EoMT": (hf.EomtForUniversalSegmentation, hf.EomtConfig, VIT | QUERIES),
        "EoMT-DINOv3": (hf.EomtDinov3ForUniversalSegmentation, hf.EomtDinov3Config, VIT | QUERIES),
        "VideoMT": (hf.VideomtForUniversalSegmentation, hf.VideomtConfig, VIT | QUERIES),
        "OneFormer": (hf.OneFormerForUniversalSegmentation, hf.OneFormerConfig, _oneformer()),
        "DETR": (hf.DetrForSegmentation, hf.DetrConfig, _detr()),
    }
    for name, (kind, config, settings) in queries.items():
        processor = task_processor() if name == "OneFormer" else None
        make = _maker(kind, config, settings)
        yield Network("transformers", name, make, own=query_scores, processor=processor)
    others: dict[str, tuple[type, type, dict[str, Any]]] = {
        "GLPN (depth)": (
            hf.GLPNForDepthEstimation,
            hf.GLPNConfig,
            {"hidden_sizes": [8, 16, 20, 24], "depths": [1] * 4, "decoder_hidden_size": 16},
        ),
        "DPT (depth)": (hf.DPTForDepthEstimation, hf.DPTConfig, dense["DPT"][2]),
        "ViTMatte (matting)": (
            hf.VitMatteForImageMatting,
            hf.VitMatteConfig,
            {
                "backbone_config": hf.VitDetConfig(
                    hidden_size=16,
                    num_hidden_layers=2,
                    num_attention_heads=2,
                    num_channels=4,
                    out_features=["stage2"],
                ),
                "hidden_size": 16,
                "convstream_hidden_sizes": [8, 8, 8],
                "fusion_hidden_sizes": [16, 8, 8, 8],
            },
        ),
    }
    for name, (kind, config, settings) in others.items():
        yield Network("transformers", name, _maker(kind, config, settings), refused=True)


def _maker(kind: Any, config: Any, settings: dict[str, Any]) -> Any:
    def make() -> nn.Module:
        model: nn.Module = kind(config(**settings))
        for layer in model.modules():
            # As drawn by transformers, a small network answers the same whatever it is shown.
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(layer.weight)
        return model.eval()

    return make


def _maskformer() -> dict[str, Any]:
    decoder = hf.DetrConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=2,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        num_queries=6,
        backbone_config=hf.ResNetConfig(**RESNET),
    )
    return {
        "backbone_config": hf.SwinConfig(**SWIN),
        "decoder_config": decoder,
        "fpn_feature_size": 32,
        "mask_feature_size": 16,
        "num_labels": CLASSES,
    }


def _mask2former() -> dict[str, Any]:
    return {
        "backbone_config": hf.SwinConfig(**SWIN),
        "feature_size": 32,
        "mask_feature_size": 32,
        "hidden_dim": 32,
        "encoder_feedforward_dim": 32,
        "encoder_layers": 1,
        "decoder_layers": 3,
        "num_attention_heads": 2,
        "dim_feedforward": 32,
        "num_queries": 6,
        "num_labels": CLASSES,
    }


def _oneformer() -> dict[str, Any]:
    return {
        "backbone_config": hf.SwinConfig(**SWIN),
        "num_labels": CLASSES,
        "num_queries": 6,
        "conv_dim": 32,
        "mask_dim": 32,
        "hidden_dim": 32,
        "encoder_feedforward_dim": 32,
        "encoder_layers": 1,
        "decoder_layers": 3,
        "num_attention_heads": 2,
        "dim_feedforward": 32,
        "task_seq_len": 8,
        "max_seq_len": 8,
        "text_encoder_width": 16,
        "text_encoder_context_length": 8,
        "text_encoder_num_layers": 1,
        "text_encoder_vocab_size": 50,
        "text_encoder_proj_layers": 1,
        "text_encoder_n_ctx": 4,
        "is_training": False,
    }


def _detr() -> dict[str, Any]:
    return {
        "backbone_config": hf.ResNetConfig(**RESNET),
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_attention_heads": 8,
        "decoder_attention_heads": 8,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
        "num_queries": 6,
        "num_labels": CLASSES,
    }
