"""What was trained in float32, streamed in the precision of the user's model if that is as good."""

from dataclasses import replace

import torch

from ditta_adapt.models.caller_state import without_autocast
from ditta_adapt.models.encodings import FrameCache
from ditta_adapt.models.parameters import adaptable_state, device_of
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Encoded, Segmenter
from ditta_adapt.safety.disagreement import labels_of
from ditta_adapt.training.student import Student, is_half

LEAST_AGREEMENT = 0.999
"""Share of the cells in which both precisions must give the same label."""


def in_models_precision(
    student: Student, segmenter: Segmenter, encodings: FrameCache[Encoded]
) -> tuple[Student, str]:
    """The student as it streams.

    A model in half precision is trained in float32. Its decoder streams in the model's own
    precision if labels then agree in 99.9 % of the cells of the warm-up, else in float32.

    Args:
        student: trained.
        segmenter: the image model.
        encodings: of the warm-up frames, by the image model.

    Returns:
        The student; and in plain words why it streams in another precision than the image model,
        or `""`.
    """
    if not is_half(segmenter):
        # Encodings come as the model gives them, so nothing need be cast, and autocast may act.
        return replace(student, precision=None), ""
    own = private_copy(segmenter)
    trained = adaptable_state(student.segmenter)
    with torch.no_grad():
        for name, tensor in adaptable_state(own).items():
            tensor.copy_(trained[name])
    half = replace(student, segmenter=own, precision=None)
    same = cells = 0
    with torch.no_grad(), without_autocast(device_of(segmenter)):
        for t in range(len(encodings)):
            encoded = encodings[t]
            equal = labels_of(half.decode(encoded).logits) == labels_of(
                student.decode(encoded).logits
            )
            same, cells = same + int(equal.sum()), cells + equal.numel()
    if same >= LEAST_AGREEMENT * cells:
        return half, ""
    return student, (
        "the adapted decoder streams in float32, since in the model's precision "
        f"{1 - same / cells:.1%} of its labels would differ"
    )
