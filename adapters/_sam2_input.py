"""What models of the SAM2 family are told of a video, by whichever library they are run."""

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.models import normalise
from ditta_adapt.teachers import SharedVideo


def square_image(frame: UInt8[Tensor, "3 H W"], side: int) -> Float[Tensor, "1 3 S S"]:
    """A frame squeezed to a square (bilinear, anti-aliased), by ImageNet's mean; float32."""
    image = frame.unsqueeze(0).float() / 255
    return normalise(F.interpolate(image, (side, side), mode="bilinear", antialias=True))


def frame_count(video: SharedVideo, pointers: int) -> int:
    """How many frames the model is told there are.

    It scales the age of its memories to the video's length, up to the number of object pointers it
    looks at. A live video counts as long from the start, or its first masks would depend on how
    far it had come.
    """
    return max(len(video), pointers) if video.live else len(video)
