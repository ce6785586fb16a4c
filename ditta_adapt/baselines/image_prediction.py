"""What the image model says about one frame, as it is."""

from dataclasses import dataclass

from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from ditta_adapt.io.frames import frame_size
from ditta_adapt.models.forward import frame_output
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.ops.resize import resize_logits


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
    output = frame_output(segmenter, frame)
    logits = resize_logits(output.logits, frame_size(frame))
    confidence, labels = logits.softmax(dim=1).max(dim=1)
    return ImagePrediction(labels[0], confidence[0], output.features[0])
