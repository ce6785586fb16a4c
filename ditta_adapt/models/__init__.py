"""Image models: the protocol, and everything done with a model as it is.

What adapters need is imported from here.
"""

from ditta_adapt.models.carried import carried_preprocessing, settings_beside_weights
from ditta_adapt.models.hooked import HookedSegmenter
from ditta_adapt.models.hooks import caught_inputs, caught_outputs
from ditta_adapt.models.input_size import fixed_input_size, input_size
from ditta_adapt.models.mask_scores import semantic_log_scores
from ditta_adapt.models.preprocessing import (
    DEFAULT_SETTINGS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    normalise,
    rescale_and_normalise,
)
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput
from ditta_adapt.models.unwrap import unwrap

__all__ = [
    "DEFAULT_SETTINGS",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Encoded",
    "HookedSegmenter",
    "Segmenter",
    "SegmenterOutput",
    "carried_preprocessing",
    "caught_inputs",
    "caught_outputs",
    "fixed_input_size",
    "input_size",
    "normalise",
    "rescale_and_normalise",
    "semantic_log_scores",
    "settings_beside_weights",
    "unwrap",
]
