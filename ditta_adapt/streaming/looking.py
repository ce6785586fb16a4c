"""A second look at a streamed frame: it judges what would have been said, before that knows it."""

from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.config import SecondLook
from ditta_adapt.models.second_look import Look, second_look
from ditta_adapt.streaming.carried import Carried, Said
from ditta_adapt.streaming.decodings import Decodings
from ditta_adapt.streaming.hearing import Hearing, hear
from ditta_adapt.training.student import Student


def look_again(
    frame: UInt8[Tensor, "3 H W"],
    options: SecondLook,
    frozen: Student,
    decodings: Decodings,
    said: Said | None,
    carried: Carried | None,
) -> tuple[Look, Hearing | None]:
    """Look at a frame, and hear what that says of everybody who may speak.

    Args:
        frame: on the model's device.
        options: at which sizes to look.
        frozen: with pre-trained weights, which looks.
        decodings: of the frame.
        said: everybody's labels of it, without the look; none if nobody judges.
        carried: those of the frame before, if there are any.

    Returns:
        The look, and what it says; nothing if nobody judges or nothing was seen.
    """
    usual = decodings.of(frozen).logits
    look = second_look(frozen.segmenter, frame, usual, options.scales)
    if said is None or look.labels is None:
        return look, None
    return look, hear(said, look.labels, usual.shape[1], carried)
