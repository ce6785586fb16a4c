"""Run rules one by one, whatever each does, and report."""

import time
import traceback
import unittest
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

import torch

from ditta_adapt.errors import InputError
from ditta_adapt.testing.report import CheckReport, CheckResult, Status
from ditta_adapt.testing.rule import CheckFailure, Rule

C = TypeVar("C")
OnFail: TypeAlias = Literal["raise", "report"]


def run_rules(
    subject: str,
    rules: Sequence[Rule[C]],
    case: C,
    *,
    expected_failures: Mapping[str, str],
    include: Sequence[str] | None,
    on_fail: str,
) -> CheckReport:
    """Run rules on a case.

    A rule whose needs failed is skipped, so that one defect is reported once.

    Raises:
        InputError: an unknown name in `expected_failures` or `include`, or a wrong `on_fail`.
        ConformanceError: something failed and `on_fail` is `"raise"`.
    """
    if on_fail not in ("raise", "report"):
        raise InputError(f"on_fail is {on_fail!r}; expected 'raise' or 'report'.")
    require_known(expected_failures, rules, "expected_failures")
    require_known(include or (), rules, "include")
    results: dict[str, CheckResult] = {}
    blocked: dict[str, str] = {}
    for rule in rules:
        if include is not None and rule.name not in include:
            continue
        blocker = next((blocked[need] for need in rule.needs if need in blocked), None)
        if blocker is not None:
            blocked[rule.name] = blocker
            message = f"needs {blocker}, which failed"
            results[rule.name] = CheckResult(rule.name, "skipped", message, "", 0.0)
            continue
        result, broken = _run(rule, case, expected_failures.get(rule.name))
        results[rule.name] = result
        if broken:
            blocked[rule.name] = rule.name
    report = CheckReport(subject, tuple(results.values()))
    if on_fail == "raise":
        report.raise_failures()
    return report


def bind_rules(rules: Sequence[Rule[C]], case: C) -> Iterator[tuple[str, Callable[[], None]]]:
    """Each rule as a name and a function without arguments, for a test runner to call."""
    for rule in rules:
        yield rule.name, _bound(rule, case)


def require_known(
    names: Mapping[str, str] | Sequence[str], rules: Sequence[Rule[C]], argument: str
) -> None:
    """Check names of checks.

    Raises:
        InputError: a name that no rule has.
    """
    known = [rule.name for rule in rules]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(
            f"{argument} names {unknown}, which are no checks; there are {', '.join(known)}."
        )


def _bound(rule: Rule[C], case: C) -> Callable[[], None]:
    def check() -> None:
        try:
            _call(rule, case)
        except CheckFailure as failure:
            raise CheckFailure(f"{failure} {rule.hint}") from None

    check.__name__, check.__doc__ = rule.name, rule.text
    return check


def _call(rule: Rule[C], case: C) -> None:
    """Run a rule seeded and with gradients on, leaving the caller's random state untouched."""
    with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        rule.check(case)


def _run(rule: Rule[C], case: C, expected: str | None) -> tuple[CheckResult, bool]:
    """The result of one rule, and whether the rule is broken: one expected to be may hold."""
    start = time.perf_counter()
    status: Status = "passed"
    message = hint = ""
    try:
        _call(rule, case)
    except unittest.SkipTest as reason:
        status, message = "skipped", str(reason)
    except Exception as error:
        status, message, hint = "failed", _describe(error), rule.hint
    broken = status == "failed"
    if expected is not None and broken:
        status, message, hint = "expected_failure", f"{expected} ({message})", ""
    elif expected is not None and status == "passed":
        status, hint = "failed", "Take its name out of expected_failures."
        message = f"was expected to fail ({expected}) but passes."
    return CheckResult(rule.name, status, message, hint, time.perf_counter() - start), broken


def _describe(error: Exception) -> str:
    if isinstance(error, CheckFailure):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    # The last frame outside of torch and the like is most often the adapter's own line.
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    place = f" ({own[-1].filename}:{own[-1].lineno}, in {own[-1].name})" if own else ""
    return f"raised {type(error).__name__}: {error}{place}"
