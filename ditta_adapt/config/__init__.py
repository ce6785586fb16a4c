"""Every hyper-parameter: one frozen, validated record for each thing that is configured."""

from ditta_adapt.config.adapt_config import AdaptConfig
from ditta_adapt.config.cache_budget import CacheBudget
from ditta_adapt.config.domain import (
    ClassMix,
    Discriminator,
    DomainConfig,
    FeatureDistance,
    LowRank,
    PatchMask,
)
from ditta_adapt.config.look import SecondLook
from ditta_adapt.config.memory import AttentionAddon, WarpedVotes
from ditta_adapt.config.propagator_training import Objective, PropagatorTraining
from ditta_adapt.config.safety import Checks
from ditta_adapt.config.targets import DenseVote, MaskVote, SelfLabels
from ditta_adapt.config.training import Anchored, Contrast, CrossEntropy, Training

__all__ = [
    "AdaptConfig",
    "Anchored",
    "AttentionAddon",
    "CacheBudget",
    "Checks",
    "ClassMix",
    "Contrast",
    "CrossEntropy",
    "DenseVote",
    "Discriminator",
    "DomainConfig",
    "FeatureDistance",
    "LowRank",
    "MaskVote",
    "Objective",
    "PatchMask",
    "PropagatorTraining",
    "SecondLook",
    "SelfLabels",
    "Training",
    "WarpedVotes",
]
