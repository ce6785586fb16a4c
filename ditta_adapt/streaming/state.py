"""What is kept of a stream from one frame to the next."""

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.io.frames import frame_size
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge
from ditta_adapt.streaming.hearing import Hearing
from ditta_adapt.streaming.look_plan import LookPlan


@dataclass(frozen=True, slots=True)
class StreamState:
    """The frame last seen, and what the next one needs of it; a new one after every frame.

    Attributes:
        count: of the frames seen so far, the warm-up among them.
        frame: `(3, H, W)` uint8, the last of them.
        output: of the decoder, on its grid; the attention add-on looks at it.
        votes: for every class, of all frames so far, on the grid of the logits; above 0 in total
            in every cell. None where no votes are remembered.
        monitor: whether the adapted weights still belong to the video; none if nothing is watched.
        judge: whose labels are given out; none if nobody judges.
        hearing: what the judge is to hear before the next frame, if that had a look.
        plan: when to look again; none if never.
    """

    count: int
    frame: UInt8[Tensor, "3 H W"]
    output: SegmenterOutput
    votes: Float[Tensor, "C h w"] | None = None
    monitor: DriftMonitor | None = None
    judge: Judge | None = None
    hearing: Hearing | None = None
    plan: LookPlan | None = None

    @property
    def size(self) -> tuple[int, int]:
        """`(H, W)` of the frames."""
        return frame_size(self.frame)

    @property
    def judged(self) -> Judge | None:
        """The judge, after the last look was heard."""
        if self.judge is None or self.hearing is None:
            return self.judge
        return self.hearing.verdict(self.judge)
