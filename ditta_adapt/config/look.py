"""Options of the second look: the frozen model on the same frame at other sizes."""

from dataclasses import dataclass

from ditta_adapt.config.record import Count, NotNegative, Positive, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondLook(Record):
    """When the frozen model looks again, and at which sizes, see `second_look`.

    In the warm-up looks take the place of the plain predictions: they teach. While streaming, a
    look first judges what would have been said of its frame, see `Judge`, and then its votes enter
    the memory, and so count for that frame's labels.

    Attributes:
        warmup_scales: how many times as large as usual a warm-up frame is seen, beside 1. Some on
            both sides of 1: larger ones find what is small, and lose what fills the frame.
            Those that the others speak against are left out, and what is left may not be trusted
            alone, see `trust`.
        warmup_mirror: whether it is seen mirrored, too.
        scales: the same of a streamed frame; fewer, since they cost more often.
        first: the streamed frames that get the first looks, counted from 1; after a cut again.
        budget: what looks may cost, once the first ones are done, on average over the stream, in
            passes of the image model a frame; at scale `s` it costs `s ** 2` passes. With 0 there
            are the first looks only.
    """

    warmup_scales: tuple[Positive, ...] = (0.75, 1.5, 2.0)
    warmup_mirror: bool = True
    scales: tuple[Positive, ...] = (0.75, 1.5)
    first: tuple[Count, ...] = (1, 4, 8, 16, 32)
    budget: NotNegative = 0.125
