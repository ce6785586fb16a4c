"""What is timed: image models of released sizes with random weights, and a video that moves."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from benchmarks.espnetv2 import ESPNetv2
from ditta_adapt import HookedSegmenter, Segmenter
from ditta_adapt.adapters.segformer import SegformerSegmenter

MODELS = ("mit-b5", "mit-b0", "espnetv2", "tiny")
"""SegFormers by the size of their encoder, with 124 classes; ESPNetv2 (s = 2.0) of 21 classes, that
sees frames at 256 x 448; a tiny SegFormer, to try whether everything runs."""

_SIZES = {
    "mit-b5": {"depths": [3, 6, 40, 3], "hidden_sizes": [64, 128, 320, 512]},
    "mit-b0": {"depths": [2, 2, 2, 2], "hidden_sizes": [32, 64, 160, 256]},
    "tiny": {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 32, 64]},
}


def build(name: str, device: torch.device, *, dtype: torch.dtype = torch.float32) -> Segmenter:
    """One of `MODELS`, random weights; the decoder of the SegFormers is 256 wide."""
    torch.manual_seed(0)
    if name == "espnetv2":
        net = ESPNetv2(21, 2.0).eval().to(device, dtype)
        return HookedSegmenter(
            net,
            decoder="decoder",
            features="input:decoder.classifier",
            logits=lambda output: output[1],
            size=(256, 448),
        )
    config = SegformerConfig(
        num_labels=124 if name != "tiny" else 5,
        decoder_hidden_size=256 if name != "tiny" else 16,
        num_attention_heads=[1, 2, 5, 8] if name != "tiny" else [1, 1, 2, 2],
        **_SIZES[name],
    )
    model = SegformerForSemanticSegmentation(config).eval().to(device, dtype)
    return SegformerSegmenter(model)


def moving(
    count: int, size: tuple[int, int] = (480, 854), *, speed: tuple[int, int] = (5, 2)
) -> list[np.ndarray]:
    """Frames `(H, W, 3)` uint8 of a camera that moves over a large, textured picture, back and
    forth."""
    height, width = size
    generator = torch.Generator().manual_seed(0)
    reach = 20
    world_size = (height + reach * speed[1], width + reach * speed[0])
    world = torch.zeros(1, 3, *world_size)
    for cell, strength in ((64, 0.5), (16, 0.3), (4, 0.2)):
        coarse = tuple(max(side // cell, 2) for side in world_size)
        noise = torch.rand(1, 3, *coarse, generator=generator)
        world += strength * F.interpolate(noise, world_size, mode="bicubic").clamp(0, 1)
    picture = (255 * world[0].clamp(0, 1)).byte().permute(1, 2, 0).numpy()
    frames = []
    for t in range(count):
        step = reach - abs(t % (2 * reach) - reach)
        y, x = step * speed[1], step * speed[0]
        frames.append(np.ascontiguousarray(picture[y : y + height, x : x + width]))
    return frames


def image_model(segmenter: Segmenter, frame: np.ndarray, device: torch.device) -> np.ndarray:
    """What a user runs without this library: the model on a frame, its labels read back."""
    with torch.inference_mode():
        tensor = torch.from_numpy(frame).to(device).permute(2, 0, 1).unsqueeze(0)
        logits: Tensor = segmenter.decode(segmenter.encode(segmenter.preprocess(tensor))).logits
        logits = F.interpolate(logits, frame.shape[:2], mode="bilinear", align_corners=False)
        # Several times faster than argmax on a CPU.
        labels: np.ndarray = logits.max(dim=1).indices[0].cpu().numpy()
    return labels


def device_name(device: torch.device) -> str:
    """What ran, with versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    threads = "" if device.type == "cuda" else f", {torch.get_num_threads()} threads"
    return f"{name}{threads}, torch {torch.__version__}"


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return float(np.median(values))
