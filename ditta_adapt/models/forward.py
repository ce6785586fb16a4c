"""The one way an image model is run on a frame."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput, check_output
from ditta_adapt.ops.resize import resize_logits


def encode_frame(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> Encoded:
    """Preprocess and encode one frame on the model's device, without gradients."""
    with torch.no_grad():
        return segmenter.encode(segmenter.preprocess(frame.unsqueeze(0).to(device_of(segmenter))))


def decode_checked(segmenter: Segmenter, encoded: Encoded) -> SegmenterOutput:
    """Run the decoder, and check what it returns; with gradients if the caller has them on.

    Raises:
        SegmenterError: the output breaks the contract, such as NaN in the logits.
    """
    output = segmenter.decode(encoded)
    check_output(output, segmenter.num_classes, segmenter.feature_dim)
    return output


def frame_output(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> SegmenterOutput:
    """Features and logits of one frame on the decoder's own grid, without gradients.

    Raises:
        SegmenterError: the output breaks the contract, such as NaN in the logits.
    """
    with torch.no_grad():
        return decode_checked(segmenter, encode_frame(segmenter, frame))


def frame_logits(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> Float[Tensor, "1 C H W"]:
    """Logits of one frame, resized to its own size, float32, without gradients.

    Raises:
        SegmenterError: the output breaks the contract, such as NaN in the logits.
    """
    output = frame_output(segmenter, frame)
    with torch.no_grad():
        return resize_logits(output.logits, (frame.shape[1], frame.shape[2]))
