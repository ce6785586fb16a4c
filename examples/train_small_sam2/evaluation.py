"""How well a model tracks on clips it was not trained on."""

from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Sam2VideoModel

from examples.train_small_sam2.batches import Batch, collate
from examples.train_small_sam2.clips import held_out_clips
from examples.train_small_sam2.tracking import ClipTracker, Prompts

_CLIPS, _FRAMES, _SIDE = 20, 10, 256


@torch.no_grad()
def evaluate(model: Sam2VideoModel) -> dict[str, float]:
    """Mean J over the frames after the prompt, and how often absence is noticed.

    Returns:
        `"J_mask"`, `"J_point"`: region similarity of objects in sight, by kind of prompt;
        `"gone"`: share of frames without the object in which the score is under 0 (NaN if it is
        never absent); `"there"`: share of frames with the object in which it is above.
    """
    scores: dict[str, list[Tensor]] = {"J_mask": [], "J_point": [], "gone": [], "there": []}
    for clip in _held_out(int(model.config.image_size)):
        batch = clip.to(model.device)
        for kind in ("mask", "point"):
            clicked = torch.full_like(batch.prompts.clicked, kind == "point")
            prompts = Prompts(**vars(batch.prompts) | {"clicked": clicked})
            followed = ClipTracker(model).run(batch.images, prompts)
            for t, frame in enumerate(followed.frames[1:], 1):
                truth = batch.truth[:, t]
                present, seen = truth.flatten(1).any(1), frame.score > 0
                logits = F.interpolate(frame.logits[:, :1], truth.shape[1:], mode="bilinear")
                found = (logits[:, 0] > 0) & seen.view(-1, 1, 1)
                both = (found & truth).flatten(1).sum(1)
                either = (found | truth).flatten(1).sum(1)
                scores[f"J_{kind}"].append((both / either)[present])
                scores["gone"].append(~seen[~present])
                scores["there"].append(seen[present])
    return {name: float(torch.cat(values).float().mean()) for name, values in scores.items()}


@lru_cache(maxsize=1)
def _held_out(side: int) -> list[Batch]:
    # Drawn at one size, so that a model of another one sees the same clips.
    clips = held_out_clips(_CLIPS, num_frames=_FRAMES, size=_SIDE, absent=0.5)
    return [collate([_resized(*clip, side)], np.random.default_rng(0)) for clip in clips]


def _resized(frames: np.ndarray, ids: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    size = (side, side)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    labels = [cv2.resize(label, size, interpolation=cv2.INTER_NEAREST) for label in ids]
    return np.stack(small), np.stack(labels)
