"""Check a propagator against the `Propagator` contract."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ditta_adapt.testing import propagator_mask_rules as mask
from ditta_adapt.testing import propagator_session_rules as session
from ditta_adapt.testing.propagator_case import PropagatorCase
from ditta_adapt.testing.report import CheckReport
from ditta_adapt.testing.rule import Rule
from ditta_adapt.testing.runner import OnFail, bind_rules, run_rules

# A rule stands after those it needs.
PROPAGATOR_RULES: tuple[Rule[PropagatorCase], ...] = (
    mask.builds,
    mask.masks,
    mask.ids,
    mask.no_prompt,
    mask.one_pixel,
    mask.full_frame,
    mask.prompted_object,
    mask.forward,
    mask.backward,
    mask.late_object,
    mask.leaving_object,
    mask.odd_sizes,
    mask.tensor_frames,
    mask.inputs_untouched,
    session.repeatable,
    session.independent_sessions,
    session.after_exception,
    session.closing_frees,
    session.live_frames,
    session.warp_contract,
    session.warp_still,
)


def check_propagator(
    factory: Callable[[], Any],
    *,
    expected_failures: Mapping[str, str] = {},
    include: Sequence[str] | None = None,
    on_fail: OnFail = "raise",
) -> CheckReport:
    """Run every rule of the `Propagator` contract on propagators made by `factory`.

    They are shown a generated video of 96 x 128 pixels, six frames long, of moving textured
    shapes whose true masks are known. Needs no test runner.

    Args:
        factory: returns a fresh propagator; a class that takes no arguments will do.
        expected_failures: reason by name of a check that is known to fail.
        include: names of the checks to run; all by default.
        on_fail: `"raise"` for an error that lists all failures, `"report"` to only return them.

    Returns:
        One result a check.

    Raises:
        ConformanceError: a check failed, or passed although it is listed in
            `expected_failures`; only with `on_fail="raise"`.
        InputError: an unknown name of a check, or a wrong `on_fail`.

    Example:
        >>> print(check_propagator(MyPropagator))    # doctest: +SKIP
    """
    return run_rules(
        getattr(factory, "__name__", type(factory).__name__),
        PROPAGATOR_RULES,
        PropagatorCase.create(factory),
        expected_failures=expected_failures,
        include=include,
        on_fail=on_fail,
    )


def propagator_checks(factory: Callable[[], Any]) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each check as `(name, function without arguments)`, for any test runner.

    The functions raise if the rule is broken, and `unittest.SkipTest` where it does not apply.
    """
    return bind_rules(PROPAGATOR_RULES, PropagatorCase.create(factory))
