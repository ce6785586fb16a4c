"""Ways to label a video, all behind the same three verbs: see `method.Method`."""

from ditta_adapt.baselines.ablation import ablation
from ditta_adapt.baselines.accel import AccelSegmenter
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.auxadapt import AuxAdapt
from ditta_adapt.baselines.clip_classification import ClipClassification
from ditta_adapt.baselines.clip_network import ClipNetwork
from ditta_adapt.baselines.cotta import CoTTA
from ditta_adapt.baselines.image_model import ImageModel
from ditta_adapt.baselines.mask_classification import MaskClassification
from ditta_adapt.baselines.mask_classifier import MaskClassifier
from ditta_adapt.baselines.mask_refiner import MaskRefiner
from ditta_adapt.baselines.method import Method, Positioned
from ditta_adapt.baselines.refined_method import RefinedMethod
from ditta_adapt.baselines.refinement.refined_labels import RefinedLabels
from ditta_adapt.baselines.refinement.true_labels import OracleLabels, TrueLabels
from ditta_adapt.baselines.refinement.unified_video_da_warp import unified_video_da_warp
from ditta_adapt.baselines.refinement.warp import warp
from ditta_adapt.baselines.tent import Tent
from ditta_adapt.baselines.zero_shot import ZeroShotRefinement

__all__ = [
    "AccelSegmenter",
    "AuxAdapt",
    "ClipClassification",
    "ClipNetwork",
    "CoTTA",
    "ImageModel",
    "MaskClassification",
    "MaskClassifier",
    "MaskRefiner",
    "MaskThresholds",
    "Method",
    "OracleLabels",
    "Positioned",
    "RefinedLabels",
    "RefinedMethod",
    "Tent",
    "TrueLabels",
    "ZeroShotRefinement",
    "ablation",
    "unified_video_da_warp",
    "warp",
]
