"""Cutie, run by the `rf-cutie` package: follows objects from a mask each, and can be trained."""

from ditta_adapt.adapters.cutie.propagator import CutiePropagator

__all__ = ["CutiePropagator"]
