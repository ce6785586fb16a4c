"""Rules that compare a segmenter with its model, and half of a training step with none and all."""

import torch
import torch.nn.functional as F

from ditta_adapt.models.own_forward import (
    MOST_DISAGREEMENT,
    ODD_SIZES,
    forward_disagreement,
)
from ditta_adapt.models.parameters import adaptable_state
from ditta_adapt.testing.rule import require, rule, skip
from ditta_adapt.testing.segmenter_case import SegmenterCase, encode, predict, training_step


@rule(
    hint="Do in preprocess and decode what the model's own forward does around its decoder: "
    "padding, cropping, resizing, align_corners, sliding windows.",
    needs=("odd_sizes",),
)
def own_forward(case: SegmenterCase) -> None:
    """Labels of odd sizes are those of the model's own forward pass, see `HasReference`."""
    segmenter = case.copy()
    reference = getattr(segmenter, "reference", case.reference)
    if reference is None:
        skip("give the segmenter a method reference(images): the model's own forward pass")
    frames = case.frames_for(segmenter).float()
    for size in ODD_SIZES:
        resized = F.interpolate(frames, size).byte()
        lost = forward_disagreement(segmenter, reference, resized)
        require(
            lost <= MOST_DISAGREEMENT,
            f"{lost:.1%} of the labels of frames of {size} (H, W) are others than the model's own.",
        )


@rule(
    hint="Keep in parameters only what may take any value in between, and tables, masks and codes "
    "in buffers.",
    needs=("gradients",),
)
def interpolates(case: SegmenterCase) -> None:
    """Half of a training step gives finite values: so much of an adaptation may be kept."""
    segmenter = case.copy()
    frames = case.frames_for(segmenter)
    start = {name: tensor.detach().clone() for name, tensor in adaptable_state(segmenter).items()}
    training_step(segmenter, encode(segmenter, frames))
    with torch.no_grad():
        for name, tensor in adaptable_state(segmenter).items():
            half = torch.lerp(start[name].float(), tensor.float(), 0.5)
            tensor.copy_(torch.where(start[name] == tensor, tensor, half.to(tensor.dtype)))
    output = predict(segmenter, frames)
    for name in ("features", "logits"):
        bad = int((~torch.isfinite(getattr(output, name))).sum())
        require(bad == 0, f"{bad} values of {name} are not finite.")
