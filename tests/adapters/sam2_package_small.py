"""The `sam2` package's own classes, holding the weights of a `Sam2VideoModel` of transformers."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("sam2", reason="the sam2 package is not installed")

Rule = tuple[str, str | Callable[[re.Match[str]], str]]

# Applied one after the other to the names in transformers.
RULES: list[Rule] = [
    (r"^no_memory_embedding", "no_mem_embed"),
    (r"^no_memory_positional_encoding", "no_mem_pos_enc"),
    (r"^memory_temporal_positional_encoding", "maskmem_tpos_enc"),
    (r"^no_object_pointer", "no_obj_ptr"),
    (r"^occlusion_spatial_embedding_parameter", "no_obj_embed_spatial"),
    (r"^object_pointer_proj", "obj_ptr_proj"),
    (r"^temporal_positional_encoding_projection_layer", "obj_ptr_tpos_proj"),
    (
        r"^shared_image_embedding\.positional_embedding",
        "sam_prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
    ),
    (r"^vision_encoder\.backbone", "image_encoder.trunk"),
    (r"patch_embed\.projection", "patch_embed.proj"),
    (r"^vision_encoder\.neck\.convs\.(\d)", r"image_encoder.neck.convs.\1.conv"),
    (r"^prompt_encoder", "sam_prompt_encoder"),
    (r"^mask_decoder", "sam_mask_decoder"),
    # A convolution, a norm and an activation each; of these the last has no weights.
    (r"mask_embed\.(conv|layer_norm)(\d)", lambda m: f"mask_downscaling.{_place(m[1], int(m[2]))}"),
    (
        r"mask_downsampler\.layers\.(\d)\.(conv|layer_norm)",
        lambda m: f"mask_downsampler.encoder.{_place(m[2], int(m[1]) + 1)}",
    ),
    (r"mask_downsampler\.final_conv", "mask_downsampler.encoder.12"),
    (r"upscale_conv1", "output_upscaling.0"),
    (r"upscale_layer_norm", "output_upscaling.1"),
    (r"upscale_conv2", "output_upscaling.3"),
    (r"feature_projection", "pix_feat_proj"),
    (r"memory_fuser", "fuser"),
    (r"depthwise_conv", "dwconv"),
    (r"pointwise_conv", "pwconv"),
    (r"(fuser\.layers\.\d)\.scale", r"\1.gamma"),
    (r"^memory_encoder\.projection", "memory_encoder.out_proj"),
    # The first and the last layer of an MLP stand apart in transformers.
    (r"mlp\.proj_in", "mlp.layers.0"),
    (r"mlp\.proj_out", "mlp.layers.1"),
    (r"(mlps\.\d|head|obj_ptr_proj)\.layers\.0", r"\1.layers.1"),
    (r"\.proj_in", ".layers.0"),
    (r"\.proj_out", ".layers.2"),
    (r"layer_norm", "norm"),
    (r"\.o_proj", ".out_proj"),
]


def _place(kind: str, layer: int) -> int:
    return 3 * (layer - 1) + (kind == "layer_norm")


def package_weights(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict of transformers, by the names of the package."""
    weights = dict(weights)
    # Where points are, and where image cells are: one tensor in the package, two in transformers.
    points = weights.pop("prompt_encoder.shared_embedding.positional_embedding")
    assert torch.equal(points, weights["shared_image_embedding.positional_embedding"])
    kinds = weights.pop("prompt_encoder.point_embed.weight")
    found = {
        f"sam_prompt_encoder.point_embeddings.{index}.weight": kind[None]
        for index, kind in enumerate(kinds)
    }
    for name, value in weights.items():
        for pattern, replacement in RULES:
            name = re.sub(pattern, replacement, name)
        found[name] = value
    return found


def package_predictor(model: Any) -> Any:
    """A `SAM2VideoPredictor` that computes what this `Sam2VideoModel` computes.

    Masks given as prompts are the exception: the package remembers them at a quarter of the size,
    and makes their pointer from the first mask token, transformers from the one of the best IoU.
    """
    from sam2.sam2_video_predictor import SAM2VideoPredictor

    config = model.config
    heads = config.mask_decoder_config
    predictor = SAM2VideoPredictor(
        image_encoder=_image_encoder(config.vision_config),
        memory_attention=_memory_attention(config),
        memory_encoder=_memory_encoder(config),
        image_size=config.image_size,
        num_maskmem=config.num_maskmem,
        max_obj_ptrs_in_encoder=config.max_object_pointers_in_encoder,
        max_cond_frames_in_attn=config.max_cond_frame_num,
        sigmoid_scale_for_mem_enc=config.sigmoid_scale_for_mem_enc,
        sigmoid_bias_for_mem_enc=config.sigmoid_bias_for_mem_enc,
        multimask_output_in_sam=config.multimask_output_in_sam,
        multimask_output_for_tracking=config.multimask_output_for_tracking,
        multimask_min_pt_num=config.multimask_min_pt_num,
        multimask_max_pt_num=config.multimask_max_pt_num,
        add_tpos_enc_to_obj_ptrs=config.enable_temporal_pos_encoding_for_object_pointers,
        proj_tpos_enc_in_obj_ptrs=config.enable_temporal_pos_encoding_for_object_pointers,
        no_obj_embed_spatial=config.enable_occlusion_spatial_embedding,
        sam_mask_decoder_extra_args={
            "dynamic_multimask_via_stability": heads.dynamic_multimask_via_stability,
            "dynamic_multimask_stability_delta": heads.dynamic_multimask_stability_delta,
            "dynamic_multimask_stability_thresh": heads.dynamic_multimask_stability_thresh,
        },
        # What transformers does always, and the package if asked to.
        binarize_mask_from_pts_for_mem_enc=True,
        use_mask_input_as_output_without_sam=True,
        directly_add_no_mem_embed=True,
        use_high_res_features_in_sam=True,
        use_multimask_token_for_obj_ptr=True,
        iou_prediction_use_sigmoid=True,
        use_obj_ptrs_in_encoder=True,
        use_signed_tpos_enc_to_obj_ptrs=True,
        only_obj_ptrs_in_the_past_for_eval=True,
        pred_obj_scores=True,
        pred_obj_scores_mlp=True,
        fixed_no_obj_ptr=True,
        use_mlp_for_obj_ptr_proj=True,
    )
    _narrow(predictor, config)
    predictor.load_state_dict(package_weights(model.state_dict()))
    return predictor.eval()


def _image_encoder(config: Any) -> nn.Module:
    from sam2.modeling.backbones.hieradet import Hiera
    from sam2.modeling.backbones.image_encoder import FpnNeck, ImageEncoder

    backbone = config.backbone_config
    trunk = Hiera(
        embed_dim=backbone.hidden_size,
        num_heads=backbone.num_attention_heads_per_stage[0],
        q_pool=backbone.num_query_pool_stages,
        stages=backbone.blocks_per_stage,
        window_pos_embed_bkg_spatial_size=backbone.window_positional_embedding_background_size,
        window_spec=backbone.window_size_per_stage,
        global_att_blocks=backbone.global_attention_blocks,
    )
    neck = FpnNeck(
        position_encoding=_sine(config.fpn_hidden_size),
        d_model=config.fpn_hidden_size,
        backbone_channel_list=config.backbone_channel_list,
        fpn_interp_model="nearest",
        fpn_top_down_levels=config.fpn_top_down_levels,
    )
    return ImageEncoder(trunk, neck, scalp=len(trunk.stage_ends) - config.num_feature_levels)


def _memory_attention(config: Any) -> nn.Module:
    from sam2.modeling.memory_attention import MemoryAttention, MemoryAttentionLayer
    from sam2.modeling.sam.transformer import RoPEAttention

    width = config.memory_attention_hidden_size
    given = {
        "rope_theta": config.rope_parameters["rope_theta"],
        "feat_sizes": config.memory_attention_rope_feat_sizes,
        "embedding_dim": width,
        "num_heads": config.memory_attention_num_attention_heads,
        "downsample_rate": config.memory_attention_downsample_rate,
    }
    memories = config.memory_encoder_output_channels
    layer = MemoryAttentionLayer(
        activation=config.memory_attention_feed_forward_hidden_act,
        self_attention=RoPEAttention(**given),
        cross_attention=RoPEAttention(**given, rope_k_repeat=True, kv_in_dim=memories),
        d_model=width,
        dim_feedforward=config.memory_attention_feed_forward_hidden_size,
        dropout=0.0,
        pos_enc_at_attn=False,
        pos_enc_at_cross_attn_keys=True,
        pos_enc_at_cross_attn_queries=False,
    )
    return MemoryAttention(width, True, layer, config.memory_attention_num_layers)


def _memory_encoder(config: Any) -> nn.Module:
    from sam2.modeling.memory_encoder import CXBlock, Fuser, MaskDownSampler, MemoryEncoder

    block = CXBlock(
        config.memory_fuser_embed_dim,
        kernel_size=config.memory_fuser_kernel_size,
        padding=config.memory_fuser_padding,
    )
    return MemoryEncoder(
        out_dim=config.memory_encoder_output_channels,
        mask_downsampler=MaskDownSampler(
            config.mask_downsampler_embed_dim,
            kernel_size=config.mask_downsampler_kernel_size,
            stride=config.mask_downsampler_stride,
            padding=config.mask_downsampler_padding,
            total_stride=config.mask_downsampler_total_stride,
        ),
        fuser=Fuser(block, config.memory_fuser_num_layers),
        position_encoding=_sine(config.memory_encoder_output_channels),
        in_dim=config.memory_encoder_hidden_size,
    )


def _sine(width: int) -> nn.Module:
    from sam2.modeling.position_encoding import PositionEmbeddingSine

    return PositionEmbeddingSine(width)


def _narrow(predictor: Any, config: Any) -> None:
    """Replace what the package builds in widths of its own, whatever it is asked for."""
    from sam2.modeling.sam.transformer import TwoWayTransformer
    from sam2.modeling.sam2_utils import MLP

    ratio = config.vision_config.backbone_config.mlp_ratio
    for block in predictor.image_encoder.trunk.blocks:
        width = block.dim_out
        block.mlp = MLP(width, int(ratio * width), width, 2, activation=nn.GELU)
    heads = config.mask_decoder_config
    decoder = predictor.sam_mask_decoder
    decoder.transformer = TwoWayTransformer(
        depth=heads.num_hidden_layers,
        embedding_dim=heads.hidden_size,
        num_heads=heads.num_attention_heads,
        mlp_dim=heads.mlp_dim,
        attention_downsample_rate=heads.attention_downsample_rate,
    )
    decoder.iou_prediction_head = MLP(
        heads.hidden_size,
        heads.iou_head_hidden_dim,
        decoder.num_mask_tokens,
        heads.iou_head_depth,
        sigmoid_output=True,
    )
    for block in predictor.memory_encoder.fuser.layers:
        width, inner = config.memory_fuser_embed_dim, config.memory_fuser_intermediate_dim
        block.pwconv1, block.pwconv2 = nn.Linear(width, inner), nn.Linear(inner, width)
