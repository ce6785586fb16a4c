"""What a run of the conformance checks found."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ditta_adapt.errors import DittaError

Status: TypeAlias = Literal["passed", "failed", "skipped", "expected_failure"]


class ConformanceError(DittaError):
    """An adapter breaks rules of its protocol; the message lists all of them."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The outcome of one check.

    Attributes:
        name: of the check, as `expected_failures` takes it.
        status: `"passed"`, `"failed"`, `"skipped"` or `"expected_failure"`.
        message: what was found, or why it was skipped; empty if passed.
        hint: what to do about a failure; empty otherwise.
        seconds: wall time.
    """

    name: str
    status: Status
    message: str
    hint: str
    seconds: float


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All results of one adapter, in the order in which the checks ran. Prints as a table.

    Attributes:
        subject: what was checked.
        results: one per check.
    """

    subject: str
    results: tuple[CheckResult, ...]

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The results with status `"failed"`."""
        return tuple(result for result in self.results if result.status == "failed")

    @property
    def ok(self) -> bool:
        """Whether nothing failed."""
        return not self.failures

    def raise_failures(self) -> None:
        """Raise if anything failed.

        Raises:
            ConformanceError: with name, finding and hint of every failure.
        """
        if self.failures:
            listed = "\n".join(
                f"  {result.name}: {result.message} {result.hint}".rstrip()
                for result in self.failures
            )
            raise ConformanceError(
                f"{self.subject} fails {len(self.failures)} of {len(self.results)} checks:\n"
                f"{listed}"
            )

    def __str__(self) -> str:
        width = max((len(result.name) for result in self.results), default=0)
        lines = [self.subject]
        for result in self.results:
            status = result.status.replace("_", " ")
            line = f"  {result.name:{width}}  {status:16}  {result.seconds:6.2f} s"
            if result.message and result.status != "failed":
                line += f"  {_one_line(result.message)}"
            lines.append(line)
            if result.status == "failed":
                lines += [f"      {text}" for text in (result.message, result.hint) if text]
        counts = Counter(result.status.replace("_", " ") for result in self.results)
        summary = ", ".join(f"{number} {status}" for status, number in counts.items())
        seconds = sum(result.seconds for result in self.results)
        lines.append(f"{len(self.results)} checks: {summary or 'none'} in {seconds:.1f} s")
        return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())
