"""SAM 2, run by the `sam2` package: follows objects from a click or a mask each."""

from ditta_adapt.adapters.sam2.propagator import SAM2Propagator

__all__ = ["SAM2Propagator"]
