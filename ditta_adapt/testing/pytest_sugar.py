"""The checks as parameters of a pytest test."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from ditta_adapt.errors import InputError, MissingDependencyError
from ditta_adapt.io.frames import Frame
from ditta_adapt.testing.kind import Kind, kind_of
from ditta_adapt.testing.propagator_suite import PROPAGATOR_RULES, propagator_checks
from ditta_adapt.testing.rule import Rule
from ditta_adapt.testing.runner import require_known
from ditta_adapt.testing.segmenter_suite import SEGMENTER_RULES, segmenter_checks


def parametrize_with_checks(
    factories: Iterable[Callable[[], Any]],
    *,
    kind: Kind | None = None,
    expected_failures: Mapping[str, str] = {},
    frames: Sequence[Frame] | None = None,
    reference: Callable[[Tensor], Tensor] | None = None,
) -> Any:
    """Decorate a test that takes one argument, `check`, to run once a check and factory.

    Every check is a test of its own, also where another one fails.

    Args:
        factories: each returns a fresh adapter.
        kind: `"segmenter"` or `"propagator"`; by default seen from a class, or from an adapter
            that is built while tests are collected.
        expected_failures: reason by name of a check that is known to fail: a strict xfail.
        frames: see `check_segmenter`; for segmenters only.
        reference: see `check_segmenter`; for segmenters only.

    Raises:
        MissingDependencyError: pytest is not installed.
        InputError: an unknown name of a check or kind, a factory that raises while its kind is
            looked for, or one that returns neither kind of adapter.

    Example:
        >>> @parametrize_with_checks([MySegmenter])    # doctest: +SKIP
        ... def test_my_segmenter(check):
        ...     check()
    """
    try:
        import pytest
    except ImportError as error:
        raise MissingDependencyError("pytest is not installed: pip install pytest") from error
    if callable(factories):
        raise InputError("parametrize_with_checks takes a list of factories; write [factory].")
    parameters = []
    for number, factory in enumerate(factories):
        own_kind = kind or kind_of(factory)
        if own_kind not in ("segmenter", "propagator"):
            raise InputError(f"kind is {own_kind!r}; expected 'segmenter' or 'propagator'.")
        segmenter = own_kind == "segmenter"
        rules: tuple[Rule[Any], ...] = SEGMENTER_RULES if segmenter else PROPAGATOR_RULES
        require_known(expected_failures, rules, "expected_failures")
        checks = (
            segmenter_checks(factory, frames=frames, reference=reference)
            if segmenter
            else propagator_checks(factory)
        )
        shown = getattr(factory, "__name__", type(factory).__name__)
        # All lambdas have one name.
        shown = f"{own_kind}{number}" if shown == "<lambda>" else shown
        for name, check in checks:
            reason = expected_failures.get(name)
            marks = [] if reason is None else [pytest.mark.xfail(strict=True, reason=reason)]
            parameters.append(pytest.param(check, id=f"{shown}-{name}", marks=marks))
    return pytest.mark.parametrize("check", parameters)
