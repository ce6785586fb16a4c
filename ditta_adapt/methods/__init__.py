"""Ways to label a video, all behind the same three verbs: see `method.Method`."""

from ditta_adapt.methods.ablation import ablation
from ditta_adapt.methods.accel import AccelSegmenter
from ditta_adapt.methods.auxadapt import AuxAdapt
from ditta_adapt.methods.cotta import CoTTA
from ditta_adapt.methods.image_model import ImageModel
from ditta_adapt.methods.label_refinement import RefinedLabels
from ditta_adapt.methods.mask_classification import MaskClassification
from ditta_adapt.methods.mask_classifier import MaskClassifier
from ditta_adapt.methods.mask_refiner import MaskRefiner
from ditta_adapt.methods.method import Method
from ditta_adapt.methods.tent import Tent
from ditta_adapt.methods.true_labels import OracleLabels, TrueLabels
from ditta_adapt.methods.unified_video_da_warp import unified_video_da_warp
from ditta_adapt.methods.warp import warp
from ditta_adapt.methods.zero_shot import ZeroShotRefinement

__all__ = [
    "AccelSegmenter",
    "AuxAdapt",
    "CoTTA",
    "ImageModel",
    "MaskClassification",
    "MaskClassifier",
    "MaskRefiner",
    "Method",
    "OracleLabels",
    "RefinedLabels",
    "Tent",
    "TrueLabels",
    "ZeroShotRefinement",
    "ablation",
    "unified_video_da_warp",
    "warp",
]
