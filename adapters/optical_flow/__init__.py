"""A propagator that needs no weights: masks, and any map, moved along dense optical flow."""

from ditta_adapt.adapters.optical_flow.propagator import OpticalFlowPropagator

__all__ = ["OpticalFlowPropagator"]
