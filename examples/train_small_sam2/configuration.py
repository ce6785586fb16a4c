"""The architecture: SAM2 as in transformers, with every width a fraction of the original's."""

from transformers import (
    Sam2VideoConfig,
    Sam2VideoMaskDecoderConfig,
    Sam2VideoPromptEncoderConfig,
)

WIDTH = 128
MLP = 256
STRIDES = (4, 8, 16)


def small_config(side: int) -> Sam2VideoConfig:
    """The configuration for square input of `side` pixels, a multiple of 32.

    No weight depends on `side`: a state dict moves from one size to another.
    """
    stages = [32, 64, 128, 256]
    grid = side // STRIDES[-1]
    return Sam2VideoConfig(
        image_size=side,
        vision_config={
            "model_type": "sam2_vision_model",
            "backbone_config": {
                "model_type": "sam2_hiera_det_model",
                "hidden_size": stages[0],
                "image_size": [side, side],
                "embed_dim_per_stage": stages,
                "blocks_per_stage": [1, 2, 5, 1],
                "num_attention_heads_per_stage": [1, 2, 4, 8],
                "window_size_per_stage": [8, 4, 4, 4],
                "global_attention_blocks": [4, 7],
                "mlp_ratio": 3.0,
            },
            "backbone_channel_list": stages[::-1],
            "backbone_feature_sizes": [[side // stride] * 2 for stride in STRIDES],
            "fpn_hidden_size": WIDTH,
        },
        # Not dicts: before 5.20 transformers reads the decoder's as a prompt encoder's.
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=WIDTH, image_size=side),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(
            hidden_size=WIDTH,
            mlp_dim=MLP,
            num_attention_heads=4,
            iou_head_hidden_dim=MLP,
            dynamic_multimask_via_stability=False,
        ),
        num_maskmem=4,
        max_object_pointers_in_encoder=8,
        multimask_output_for_tracking=False,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=MLP,
        memory_attention_rope_feat_sizes=[grid, grid],
        memory_attention_dropout=0.0,
        memory_attention_rope_dropout=0.0,
        rope_parameters={"rope_type": "axial", "rope_theta": 100.0},
        memory_encoder_hidden_size=WIDTH,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=MLP,
    )
