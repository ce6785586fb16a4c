"""Propagation by matching how pixels look with frames that are remembered."""

from ditta_adapt.teachers.matching.features import FeatureNetwork, SegmenterFeatures
from ditta_adapt.teachers.matching.propagator import MatchingPropagator
from ditta_adapt.teachers.matching.session import MatchingSession
from ditta_adapt.teachers.matching.video import MatchingVideo

__all__ = [
    "FeatureNetwork",
    "MatchingPropagator",
    "MatchingSession",
    "MatchingVideo",
    "SegmenterFeatures",
]
