"""What the image model says about one frame, as it is."""

from dataclasses import dataclass

from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ditta_adapt.models.encodings import encode_frame
from ditta_adapt.models.frozen_prediction import resize_logits
from ditta_adapt.models.private_copy import device_of
from ditta_adapt.models.segmenter import Segmenter, check_output


@dataclass(frozen=True, slots=True)
class ImagePrediction:
    """Of one frame, on the model's device.

    Attributes:
        labels: `(H, W)` int64, the most probable class.
        confidence: `(H, W)` float32 in [0, 1], the probability of that class.
        features: `(D, h, w)` float, what the classifier of the model sees.
    """

    labels: Int64[Tensor, "H W"]
    confidence: Float[Tensor, "H W"]
    features: Float[Tensor, "D h w"]


def predict_image(segmenter: Segmenter, frame: UInt8[Tensor, "3 H W"]) -> ImagePrediction:
    """Run an image model on one frame. Logits are resized to frame size before the softmax.

    Args:
        segmenter: in eval mode, such as a `private_copy`.
        frame: on any device.

    Raises:
        SegmenterError: the model's output breaks its contract, such as NaN in the logits.
    """
    output = segmenter.decode(encode_frame(segmenter, frame, device_of(segmenter)))
    check_output(output, segmenter.num_classes, segmenter.feature_dim)
    logits = resize_logits(output.logits, (frame.shape[1], frame.shape[2]))
    confidence, labels = logits.softmax(dim=1).max(dim=1)
    return ImagePrediction(labels[0], confidence[0], output.features[0])
