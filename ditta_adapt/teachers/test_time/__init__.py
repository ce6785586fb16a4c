"""Test-time training of propagators: losses that need no labels but the first frame's masks."""

from ditta_adapt.config import Objective
from ditta_adapt.teachers.test_time.adapt import adapt_propagator
from ditta_adapt.teachers.test_time.mask_network import DecodesValues, MaskNetwork
from ditta_adapt.teachers.test_time.propagator_report import PropagatorReport
from ditta_adapt.teachers.test_time.trainable import TrainableNetwork, TrainablePropagator

__all__ = [
    "DecodesValues",
    "MaskNetwork",
    "Objective",
    "PropagatorReport",
    "TrainableNetwork",
    "TrainablePropagator",
    "adapt_propagator",
]
