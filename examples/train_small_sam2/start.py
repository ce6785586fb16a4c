"""Weights to start from: the class's own start is made for fine-tuning and does not take off."""

from pathlib import Path

import torch
from torch import nn
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoAttention

from ditta_adapt.errors import InputError

# A shared bias of query and key under rotary encoding favours cells close to each other.
_LOCAL_PRIOR = 1.5
_OTHER = "the weights in {folder} are of another architecture than `small_config` describes: {what}"


@torch.no_grad()
def new_model(config: object, seed: int) -> Sam2VideoModel:
    """A model ready to be trained from scratch."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Sam2VideoModel(config)
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.5)
    # Points and image cells must speak of the same places.
    model.prompt_encoder.shared_embedding.positional_embedding.copy_(
        model.shared_image_embedding.positional_embedding
    )
    for module in model.mask_decoder.modules():
        if isinstance(module, Sam2VideoAttention):
            # Equal projections make what is alike attend to each other from the first step.
            module.k_proj.weight.copy_(module.q_proj.weight)
    # A mask prompt as logits of -10 and 10, like the masks the decoder makes, and loud enough to be
    # heard beside the image.
    model.mask_downsample.weight.fill_(20 / model.mask_downsample.weight.numel())
    model.mask_downsample.bias.fill_(-10)
    model.prompt_encoder.mask_embed.conv3.weight.mul_(4)
    for convolution in model.vision_encoder.neck.convs:
        convolution.weight.mul_(0.5)
    for layer in model.memory_attention.layers:
        for projection in (layer.cross_attn_image.q_proj, layer.cross_attn_image.k_proj):
            projection.bias.fill_(_LOCAL_PRIOR)
    for module in model.memory_encoder.memory_fuser.layers:
        module.scale.fill_(0.1)
    return model


def trained_model(config: object, folder: Path) -> Sam2VideoModel:
    """A model with weights that were trained before, such as those this program writes.

    Raises:
        InputError: the folder holds no weights, or those of another architecture.
    """
    try:
        model, found = Sam2VideoModel.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            local_files_only=True,
            output_loading_info=True,
        )
    except OSError as error:
        raise InputError(f"no weights of a small SAM2 are in {folder}: {error}") from error
    except RuntimeError as error:
        raise InputError(_OTHER.format(folder=folder, what=error)) from error
    if wrong := [*found["missing_keys"], *found["unexpected_keys"]]:
        raise InputError(_OTHER.format(folder=folder, what=", ".join(wrong)))
    return model
