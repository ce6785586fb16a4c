"""The one way an image model is run on a frame."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.errors import DittaError, SegmenterError
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput, check_output
from ditta_adapt.ops.resize import resize_logits


@contextmanager
def model_errors(segmenter: object, call: str) -> Iterator[None]:
    """Turn whatever a model raises inside into one error that names the call.

    Running out of memory is left as it is, since programs catch it to go on with less.

    Raises:
        SegmenterError: anything else but an error of ours was raised.
    """
    try:
        yield
    except (DittaError, torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        raise SegmenterError(
            f"{call} of {type(segmenter).__name__} raised {type(error).__name__}: {error}. See the "
            "original error above."
        ) from error


def preprocess_frame(
    segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]
) -> Float[Tensor, "1 *image"]:
    """The model's input for one frame, on its device, without gradients.

    Raises:
        SegmenterError: the model raised.
    """
    with torch.no_grad(), model_errors(segmenter, "preprocess"):
        return segmenter.preprocess(frame.unsqueeze(0).to(device_of(segmenter)))


def encode(segmenter: Segmenter, images: Float[Tensor, "B *image"]) -> Encoded:
    """Run the encoder, with gradients if the caller has them on.

    Raises:
        SegmenterError: the model raised.
    """
    with model_errors(segmenter, "encode"):
        return segmenter.encode(images)


def decode(segmenter: Segmenter, encoded: Encoded) -> SegmenterOutput:
    """Run the decoder, with gradients if the caller has them on.

    Raises:
        SegmenterError: the model raised.
    """
    with model_errors(segmenter, "decode"):
        return segmenter.decode(encoded)


def encode_frame(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> Encoded:
    """Preprocess and encode one frame on the model's device, without gradients.

    Raises:
        SegmenterError: the model raised.
    """
    with torch.no_grad():
        return encode(segmenter, preprocess_frame(segmenter, frame))


def decode_checked(segmenter: Segmenter, encoded: Encoded) -> SegmenterOutput:
    """Run the decoder, and check what it returns; with gradients if the caller has them on.

    Raises:
        SegmenterError: the model raised, or the output breaks the contract, such as NaN in the
            logits.
    """
    output = decode(segmenter, encoded)
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
