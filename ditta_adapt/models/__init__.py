"""Image models: the protocol, and everything done with a model as it is.

What adapters need is imported from here.
"""

from ditta_adapt.models.hooked import HookedSegmenter
from ditta_adapt.models.preprocessing import (
    DEFAULT_SETTINGS,
    IMAGENET_MEAN,
    IMAGENET_STD,
    fixed_input_size,
    input_size,
    normalise,
    rescale_and_normalise,
)
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput

__all__ = [
    "DEFAULT_SETTINGS",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Encoded",
    "HookedSegmenter",
    "Segmenter",
    "SegmenterOutput",
    "fixed_input_size",
    "input_size",
    "normalise",
    "rescale_and_normalise",
]
