"""Conformance checks for adapters: one named check a rule, usable with and without pytest."""

from ditta_adapt.testing.propagator_suite import check_propagator, propagator_checks
from ditta_adapt.testing.pytest_sugar import parametrize_with_checks
from ditta_adapt.testing.report import CheckReport, CheckResult, ConformanceError
from ditta_adapt.testing.segmenter_suite import check_segmenter, segmenter_checks

__all__ = [
    "CheckReport",
    "CheckResult",
    "ConformanceError",
    "check_propagator",
    "check_segmenter",
    "parametrize_with_checks",
    "propagator_checks",
    "segmenter_checks",
]
