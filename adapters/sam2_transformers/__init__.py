"""SAM2 and EdgeTAM of transformers as a propagator."""

from ditta_adapt.adapters.sam2_transformers.propagator import (
    SMALL,
    EdgeTamPropagator,
    Sam2TransformersPropagator,
)

__all__ = ["SMALL", "EdgeTamPropagator", "Sam2TransformersPropagator"]
