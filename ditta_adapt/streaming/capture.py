"""Models run once before a stream begins, so that their CUDA graphs are there."""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.io.upload import upload
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.parameters import device_of
from ditta_adapt.training.student import Student


def capture(students: Sequence[Student], frame: UInt8[Tensor, "3 H W"]) -> str:
    """Run students on a frame; why one of them could not be captured, or `""`.

    Args:
        students: of one encoder.
        frame: of the size that is to come.

    Raises:
        SegmenterError: the model raised.
    """
    own = students[0].segmenter
    with torch.no_grad():
        encoded = encode_frame(own, upload(frame, device_of(own)))
        for student in students:
            student.decode(encoded)
    found = [getattr(student.segmenter, "problem", "") for student in students]
    return "; ".join(dict.fromkeys(filter(None, found)))
