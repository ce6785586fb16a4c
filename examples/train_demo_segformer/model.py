"""The network: its size, what it is shown, and the labels it gives."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from transformers import SegformerConfig

from ditta_adapt.demo.scenes import CLASS_NAMES
from ditta_adapt.models import IMAGENET_MEAN, IMAGENET_STD


def build_config() -> SegformerConfig:
    """A SegFormer with about a quarter of the width of MiT-b0's last stages."""
    return SegformerConfig(
        depths=[2, 2, 2, 2],
        hidden_sizes=[16, 32, 80, 128],
        num_attention_heads=[1, 2, 4, 8],
        sr_ratios=[8, 4, 2, 1],
        patch_sizes=[7, 3, 3, 3],
        strides=[4, 2, 2, 2],
        mlp_ratios=[4, 4, 4, 4],
        decoder_hidden_size=96,
        drop_path_rate=0.0,
        classifier_dropout_prob=0.0,
        id2label=dict(enumerate(CLASS_NAMES)),
        label2id={name: index for index, name in enumerate(CLASS_NAMES)},
    )


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to normalised float32 (B, 3, H, W)."""
    scaled = images.permute(0, 3, 1, 2).float() / 255
    return (scaled - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(
        3, 1, 1
    )


def predict(model: nn.Module, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Label maps (T, H, W) of frames (T, H, W, 3), with the logits upsampled bilinearly."""
    found = []
    model.train(False)
    with torch.inference_mode():
        for start in range(0, len(frames), 8):
            batch = torch.from_numpy(frames[start : start + 8])
            logits = model(pixel_values=normalise(batch)).logits
            logits = nn.functional.interpolate(logits, size=frames.shape[1:3], mode="bilinear")
            found.append(logits.argmax(1).numpy())
    return np.concatenate(found)
