"""Teachers: what follows objects, or any map, through a video.

What adapters need is imported from here.
"""

from ditta_adapt.teachers.base_propagator import BasePropagator
from ditta_adapt.teachers.base_session import BaseSession
from ditta_adapt.teachers.live_frames import LiveFrames, oldest_kept
from ditta_adapt.teachers.propagator import (
    AutoMasks,
    DenseWarper,
    FeatureSource,
    MaskGenerator,
    Masks,
    Prompt,
    PropagationSession,
    Propagator,
    TakesFeatures,
)
from ditta_adapt.teachers.shared_video import SharedVideo
from ditta_adapt.teachers.soft_aggregation import aggregation_logits

__all__ = [
    "AutoMasks",
    "BasePropagator",
    "BaseSession",
    "DenseWarper",
    "FeatureSource",
    "LiveFrames",
    "MaskGenerator",
    "Masks",
    "Prompt",
    "PropagationSession",
    "Propagator",
    "SharedVideo",
    "TakesFeatures",
    "aggregation_logits",
    "oldest_kept",
]
