"""Propagation by a trained space-time correspondence network (STCN)."""

from ditta_adapt.teachers.stcn.network import SpaceTimeNetwork
from ditta_adapt.teachers.stcn.propagator import StcnPropagator
from ditta_adapt.teachers.stcn.session import StcnSession
from ditta_adapt.teachers.stcn.shape import RELEASED, SMALL, StcnShape
from ditta_adapt.teachers.stcn.video import StcnVideo

__all__ = [
    "RELEASED",
    "SMALL",
    "SpaceTimeNetwork",
    "StcnPropagator",
    "StcnSession",
    "StcnShape",
    "StcnVideo",
]
