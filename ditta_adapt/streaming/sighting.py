"""How a frame's colours fit to what was seen before it."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.ops.later import Later
from ditta_adapt.ops.photometric import photometric_consistency_at_rest
from ditta_adapt.safety.drift_monitor import DriftMonitor


@dataclass(frozen=True, slots=True)
class Sighting:
    """Colours of one frame, measured on the device.

    Attributes:
        before: the frame before; none at the start of a stream.
        fits: mean photometric consistency with it, as warped; the share of colours that both have;
            where a scene was left, photometric consistency with the last frame of that, too.
    """

    before: UInt8[Tensor, "3 H W"] | None
    fits: Later

    @classmethod
    def of(
        cls,
        before: UInt8[Tensor, "3 H W"] | None,
        frame: UInt8[Tensor, "3 H W"],
        consistency: Float[Tensor, ""] | None,
        shared: Float[Tensor, ""] | None,
        monitor: DriftMonitor,
    ) -> "Sighting":
        """What a monitor wants to know of a frame.

        Args:
            before: the frame before.
            frame: this frame.
            consistency: of what was warped from one to the other; none if nothing was.
            shared: share of colours that both have; none if nobody knows.
            monitor: as far as it is known.
        """
        known = (consistency, shared)
        fits = [torch.ones((), device=frame.device) if fit is None else fit for fit in known]
        if monitor.left is not None:
            tolerance = monitor.checks.tolerance
            fits.append(photometric_consistency_at_rest(frame, monitor.left, tolerance=tolerance))
        return cls(before, Later(torch.stack(fits)))

    def shown_to(self, monitor: DriftMonitor) -> DriftMonitor:
        """The monitor once it knows of this frame; waits for the device."""
        return monitor.after(self.before, *self.fits.read())
