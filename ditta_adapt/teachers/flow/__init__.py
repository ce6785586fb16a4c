"""Propagation along dense optical flow: the check, the look-up, the session; who finds the flow is
behind `FlowEstimator`."""

from ditta_adapt.teachers.flow.estimator import FlowEstimator
from ditta_adapt.teachers.flow.field import FlowField
from ditta_adapt.teachers.flow.lucas_kanade import LucasKanade
from ditta_adapt.teachers.flow.session import FlowSession

__all__ = ["FlowEstimator", "FlowField", "FlowSession", "LucasKanade"]
