"""Whether a frame still shows the scene of the one before, and whose weights may decode it."""

from dataclasses import dataclass

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.ops.later import answers_late
from ditta_adapt.ops.shared_colours import shared_colours
from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.streaming.sighting import Sighting
from ditta_adapt.streaming.state import StreamState


@dataclass(frozen=True, slots=True)
class Watched:
    """What the drift monitor says of a frame.

    Attributes:
        monitor: after it was shown the frame, as far as that is known; none if nothing is watched.
        sighting: what it is to be shown before the next frame.
        changed: whether another scene began, or an alarm began or ceased. The past says nothing
            then: colours of another scene fit by chance, and votes of other weights are not one's
            own.
        cut: whether another scene begins, or the first one is back.
    """

    monitor: DriftMonitor | None = None
    sighting: Sighting | None = None
    changed: bool = False
    cut: bool = False


def watch(
    before: StreamState,
    frame: UInt8[Tensor, "3 H W"],
    colours: Float[Tensor, "3 h w"] | None,
    fit: Float[Tensor, ""] | None,
) -> Watched:
    """Show the drift monitor a frame; on a GPU it is told with the next one.

    Args:
        before: what was kept of the frames before; of no frame at the start of a stream.
        frame: on the model's device.
        colours: of the frame, on the grid of the votes; none where nothing is remembered.
        fit: mean photometric consistency of what was warped to the frame, if anything was.
    """
    told, monitor = before.monitor, before.watched
    if told is None or monitor is None:
        return Watched()
    shared = None
    if colours is not None and before.colours is not None:
        shared = shared_colours(before.colours, colours)
    last = before.frame if before.count else None
    sighting: Sighting | None = Sighting.of(last, frame, fit, shared, monitor)
    if sighting is not None and not answers_late(frame):
        monitor, sighting = sighting.shown_to(monitor), None
    return Watched(monitor, sighting, monitor.cut or monitor.alarm != told.alarm, monitor.cut)
