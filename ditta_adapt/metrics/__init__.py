"""How good, and how steady, a video segmentation is."""

from ditta_adapt.metrics.consistency import VideoConsistency
from ditta_adapt.metrics.segmentation import SegmentationScore

__all__ = ["SegmentationScore", "VideoConsistency"]
