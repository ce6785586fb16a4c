"""Turn any image segmentation model into a video segmentation model that does not flicker."""

from ditta_adapt.config import (
    AdaptConfig,
    Anchored,
    AttentionAddon,
    CacheBudget,
    Checks,
    ClassMix,
    Contrast,
    CrossEntropy,
    DenseVote,
    Discriminator,
    DomainConfig,
    FeatureDistance,
    LowRank,
    MaskVote,
    PatchMask,
    PropagatorTraining,
    SecondLook,
    SelfLabels,
    Training,
    WarpedVotes,
)
from ditta_adapt.errors import (
    AdaptationError,
    CheckpointError,
    ConfigError,
    DittaError,
    InputError,
    MissingDependencyError,
    PropagationError,
    SegmenterError,
    ShapeError,
    UnknownModelError,
)
from ditta_adapt.io.frames import Frame, FrameLike
from ditta_adapt.models.description import Description, describe
from ditta_adapt.models.hooked import HookedSegmenter
from ditta_adapt.models.segmenter import Segmenter, SegmenterOutput
from ditta_adapt.progress import Progress
from ditta_adapt.report import AdaptationReport
from ditta_adapt.safety.verdict import Verdict
from ditta_adapt.streaming.prediction import FramePrediction
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.live_frames import LiveFrames
from ditta_adapt.teachers.propagator import (
    DenseWarper,
    FeatureSource,
    Masks,
    Prompt,
    PropagationSession,
    Propagator,
)
from ditta_adapt.version import __version__
from ditta_adapt.video_segmenter import VideoSegmenter
from ditta_adapt.wrap import wrap

__all__ = [
    "AdaptConfig",
    "AdaptationError",
    "AdaptationReport",
    "Anchored",
    "AttentionAddon",
    "CacheBudget",
    "CheckpointError",
    "Checks",
    "ClassMix",
    "ConfigError",
    "Contrast",
    "CrossEntropy",
    "DenseVote",
    "DenseWarper",
    "Description",
    "Discriminator",
    "DittaError",
    "DomainConfig",
    "FeatureDistance",
    "FeatureSource",
    "Frame",
    "FrameLike",
    "FramePrediction",
    "HookedSegmenter",
    "InputError",
    "LiveFrames",
    "LowRank",
    "MaskVote",
    "Masks",
    "MissingDependencyError",
    "PatchMask",
    "Progress",
    "Prompt",
    "PropagationError",
    "PropagationSession",
    "Propagator",
    "PropagatorTraining",
    "SecondLook",
    "Segmenter",
    "SegmenterError",
    "SegmenterOutput",
    "SelfLabels",
    "ShapeError",
    "TargetBuilder",
    "Targets",
    "Training",
    "UnknownModelError",
    "Verdict",
    "VideoSegmenter",
    "WarmUp",
    "WarpedVotes",
    "__version__",
    "describe",
    "wrap",
]
