"""A second look at a streamed frame: it judges what would have been said, before that knows it."""

from collections.abc import Callable

from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.config import SecondLook
from ditta_adapt.models.second_look import Look, second_look
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.streaming.candidates import Candidates
from ditta_adapt.streaming.decodings import Decodings
from ditta_adapt.streaming.hearing import Hearing, hear
from ditta_adapt.training.student import Student


def look_again(
    frame: UInt8[Tensor, "3 H W"],
    options: SecondLook,
    frozen: Student,
    student_of: Callable[[Speaker], Student],
    decodings: Decodings,
    candidates: Candidates,
    judge: Judge | None,
) -> tuple[Look, Hearing | None]:
    """Look at a frame, and hear what that says of everybody who may speak.

    Args:
        frame: on the model's device.
        options: at which sizes to look.
        frozen: with pre-trained weights, which looks.
        student_of: who decodes for a candidate.
        decodings: of the frame.
        candidates: what else is known of it; the look is not.
        judge: whose candidates are heard; none if nobody judges.

    Returns:
        The look, and what it says; nothing if nobody judges or nothing was seen.
    """
    look = second_look(frozen.segmenter, frame, decodings.of(frozen).logits, options.scales)
    if judge is None or look.labels is None:
        return look, None
    names: tuple[Speaker, ...] = ("image model", *judge.opinions)
    outputs = {name: decodings.of(student_of(name)) for name in names}
    return look, hear(outputs, candidates, look.labels)
