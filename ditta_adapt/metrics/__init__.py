"""How good, and how steady, a video segmentation is."""

from ditta_adapt.metrics.boundary_iou import BoundaryIoU
from ditta_adapt.metrics.consistency import VideoConsistency
from ditta_adapt.metrics.j_and_f import (
    JAndF,
    ObjectScores,
    Summary,
    contour_accuracy,
    region_similarity,
)
from ditta_adapt.metrics.pseudo_labels import PseudoLabelScore
from ditta_adapt.metrics.segmentation import SegmentationScore

__all__ = [
    "BoundaryIoU",
    "JAndF",
    "ObjectScores",
    "PseudoLabelScore",
    "SegmentationScore",
    "Summary",
    "VideoConsistency",
    "contour_accuracy",
    "region_similarity",
]
