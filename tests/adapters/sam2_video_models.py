"""Small SAM2 and EdgeTAM video models with random weights, and the library's own sessions."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from torch import Tensor, nn

from ditta_adapt import (
    Masks,
    Prompt,
)

KINDS = ["Sam2Video", "EdgeTamVideo"]
SIDE, WIDTH = 64, 128
SIZE = (37, 50)


def config_of(kind: str, side: int = SIDE) -> Any:
    vision = {
        "model_type": "sam2_vision_model",
        "backbone_config": {
            "model_type": "sam2_hiera_det_model",
            "hidden_size": 16,
            "image_size": [side, side],
            "embed_dim_per_stage": [16, 32, 64, 128],
            "blocks_per_stage": [1, 2, 2, 1],
            "num_attention_heads_per_stage": [1, 2, 4, 8],
            "window_size_per_stage": [8, 4, 4, 4],
            "global_attention_blocks": [4],
            "mlp_ratio": 2.0,
        },
        "backbone_channel_list": [128, 64, 32, 16],
        "backbone_feature_sizes": [[side // step] * 2 for step in (4, 8, 16)],
        "fpn_hidden_size": WIDTH,
    }
    head = {"hidden_size": WIDTH, "mlp_dim": 64, "iou_head_hidden_dim": 64}
    own = {
        "Sam2Video": {"memory_attention_feed_forward_hidden_size": 64},
        "EdgeTamVideo": {
            "memory_attention_mlp_hidden_size": 64,
            "memory_attention_rope_k_sizes": [2, 2],
            "perceiver_resampler_num_latents": 4,
            "perceiver_resampler_num_latents_2d": 4,
        },
    }
    # Not dicts: before 5.20 transformers reads the decoder's as a prompt encoder's.
    prompts = getattr(transformers, kind + "PromptEncoderConfig")
    decoder = getattr(transformers, kind + "MaskDecoderConfig")
    return getattr(transformers, kind + "Config")(
        vision_config=vision,
        prompt_encoder_config=prompts(hidden_size=WIDTH, image_size=side),
        mask_decoder_config=decoder(**head, num_attention_heads=2),
        image_size=side,
        num_maskmem=4,
        max_object_pointers_in_encoder=8,
        memory_attention_hidden_size=WIDTH,
        memory_attention_num_layers=1,
        memory_attention_rope_feat_sizes=[side // 16] * 2,
        memory_encoder_hidden_size=WIDTH,
        mask_downsampler_embed_dim=WIDTH,
        memory_fuser_embed_dim=WIDTH,
        memory_fuser_intermediate_dim=64,
        **own[kind],
    )


def small_model(kind: str = "Sam2Video", seed: int = 0) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, kind + "Model")(config_of(kind)).eval()
        with torch.no_grad():
            # The class starts with weights so small that nothing depends on the input.
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.normal_(0, parameter[0].numel() ** -0.5)
            model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(2.0)
    return model


def prompts_of(*points: tuple[int, int], first_id: int = 1) -> list[Prompt]:
    region = torch.zeros(SIZE, dtype=torch.bool)
    return [Prompt(first_id + i, point, region) for i, point in enumerate(points)]


def pixels_of(frames: Sequence[np.ndarray], side: int = SIDE) -> Tensor:
    """Frames as SAM2 is trained on them, `(T, 3, S, S)`: scaled, resized, normalised."""
    images = torch.stack([torch.from_numpy(frame) for frame in frames]).permute(0, 3, 1, 2) / 255
    images = F.interpolate(images, (side, side), mode="bilinear", antialias=True)
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    return (images - mean[:, None, None]) / std[:, None, None]


class Reference:
    """The library's own session on a whole video, which forgets nothing."""

    def __init__(self, model: Any, frames: Sequence[np.ndarray]) -> None:
        self.model, self.size = model, frames[0].shape[:2]
        session_class = type(model).__name__.replace("Model", "InferenceSession")
        self.session = getattr(transformers, session_class)(
            video=pixels_of(frames),
            video_height=self.size[0],
            video_width=self.size[1],
            dtype=torch.float32,
        )

    def prompt(self, t: int, prompts: Sequence[Prompt]) -> None:
        for prompt in prompts:
            x, y = prompt.point
            coordinates = [[[[x * SIDE / self.size[1], y * SIDE / self.size[0]]]]]
            self.session.add_point_inputs(
                self.session.obj_id_to_idx(prompt.object_id),
                t,
                {
                    "point_coords": torch.tensor(coordinates),
                    "point_labels": torch.ones(1, 1, 1, dtype=torch.int32),
                },
            )
        self.session.obj_with_new_inputs = [prompt.object_id for prompt in prompts]

    def follow(self, start: int, *, reverse: bool = False) -> dict[int, Tensor]:
        outputs = self.model.propagate_in_video_iterator(
            self.session, start_frame_idx=start, reverse=reverse
        )
        return {output.frame_idx: self.masks(output.pred_masks) for output in outputs}

    def masks(self, logits: Tensor) -> Tensor:
        return F.interpolate(logits, self.size, mode="bilinear", align_corners=False)[:, 0] > 0


def follow(session: Any, order: Sequence[int], prompts: Sequence[Prompt]) -> dict[int, Masks]:
    masks = {order[0]: session.prompt(order[0], prompts)}
    for t, to in pairwise(order):
        masks[to] = session.propagate(t, to)
    return masks


@contextmanager
def counted_features(model: nn.Module) -> Iterator[list[int]]:
    """Batch sizes of all passes of the image encoder."""
    sizes: list[int] = []
    handle = model.vision_encoder.register_forward_hook(
        lambda module, args, output: sizes.append(output.fpn_hidden_states[0].shape[0])
    )
    yield sizes
    handle.remove()
