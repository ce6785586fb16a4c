"""What is kept of a stream from one frame to the next."""

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.io.frames import frame_size
from ditta_adapt.models.segmenter import SegmenterOutput
from ditta_adapt.ops.later import Later
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.carried import Said
from ditta_adapt.streaming.frame_log import FrameLog
from ditta_adapt.streaming.hearing import Hearing
from ditta_adapt.streaming.look_plan import LookPlan
from ditta_adapt.streaming.sighting import Sighting
from ditta_adapt.streaming.trial import Trial


@dataclass(frozen=True, slots=True)
class StreamState:
    """The frame last seen, and what the next one needs of it; a new one after every frame.

    What a device has still to answer is kept unread (`hearing`, `trial`, `sighting`, `opinion`,
    `finite`): asked for with the next frame, it is there, and nobody has waited.

    Attributes:
        count: of the frames seen so far, the warm-up among them.
        frame: `(3, H, W)` uint8, the last of them, on the model's device.
        output: of the decoder, on its grid, where the attention add-on looks at it.
        votes: for every class, of all frames so far, on the grid of the logits; above 0 in total
            in every cell. None where no votes are remembered.
        colours: of the frame, on the grid of the votes.
        length: of the memory, if votes are remembered.
        trial: of that length, while it is tested.
        monitor: whether the adapted weights still belong to the video; none if nothing is watched.
        judge: whose labels are given out; none if nobody judges.
        hearing: what the judge is to hear before the next frame, if that had a look.
        plan: when to look again; none if never.
        said: everybody's labels of the frame, on the grid, where the next one is to be looked at.
        sighting: what the monitor is to be shown before the next frame.
        opinion: how far both weights differ, likewise.
        finite: whether all that was decoded is finite, 1 or 0.
        log: how the frame came by its labels; none before the first one that was streamed.
    """

    count: int
    frame: UInt8[Tensor, "3 H W"]
    output: SegmenterOutput | None = None
    votes: Float[Tensor, "C h w"] | None = None
    colours: Float[Tensor, "3 h w"] | None = None
    length: MemoryLength | None = None
    trial: Trial | None = None
    monitor: DriftMonitor | None = None
    judge: Judge | None = None
    hearing: Hearing | None = None
    plan: LookPlan | None = None
    said: Said | None = None
    sighting: Sighting | None = None
    opinion: Later | None = None
    finite: Later | None = None
    log: FrameLog | None = None

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

    @property
    def remembering(self) -> MemoryLength | None:
        """The length of the memory, after the last frame that was predicted."""
        if self.length is None or self.trial is None:
            return self.length
        return self.length.after(*self.trial.differences())

    @property
    def watched(self) -> DriftMonitor | None:
        """The monitor, after it was shown this frame."""
        monitor = self.monitor
        if monitor is not None and self.sighting is not None:
            monitor = self.sighting.shown_to(monitor)
        if monitor is not None and self.opinion is not None:
            monitor = monitor.with_second_opinion(*self.opinion.read())
        return monitor
