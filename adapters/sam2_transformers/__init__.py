"""SAM2 and EdgeTAM of transformers as a propagator."""

from ditta_adapt.adapters.sam2_transformers.propagator import SMALL, Sam2TransformersPropagator

__all__ = ["SMALL", "Sam2TransformersPropagator"]
