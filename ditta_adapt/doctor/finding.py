"""What is known about one thing on this machine."""

import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ditta_adapt.errors import MissingDependencyError

Status: TypeAlias = Literal["ok", "missing", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: what it is.
        status: `"ok"`, it can be used; `"missing"`, it is not there, and need not be; `"problem"`,
            it is there and broken.
        detail: what was found.
        remedy: what to do about it; empty if nothing need be done or nothing is known.
    """

    subject: str
    status: Status
    detail: str
    remedy: str = ""


def found(subject: str, look: Callable[[], str], remedy: str = "") -> Finding:
    """What looking gives: its words, what is missing, or what it raises.

    Args:
        subject: what is looked at.
        look: returns the detail, or raises.
        remedy: of a problem; a `MissingDependencyError` brings its own.
    """
    try:
        # Libraries warn and print while they are imported; standard output is for the findings.
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            detail = look()
    # Whatever it is that fails here fails for a user, too.
    except Exception as error:
        return _failed(subject, error, remedy)
    return Finding(subject, "ok", detail)


def _failed(subject: str, error: BaseException, remedy: str) -> Finding:
    if isinstance(error, MissingDependencyError):
        cause = error.__cause__
        if cause is None or isinstance(cause, ModuleNotFoundError):
            detail, _, install = str(error).partition(" Install it with: ")
            return Finding(subject, "missing", detail, install)
        # The library is there: it is what it needs of the system that is not.
        error = cause
    return Finding(subject, "problem", f"{type(error).__name__}: {one_line(error)}", remedy)


def one_line(text: object) -> str:
    """A text, or what an error says, without its line breaks."""
    return " ".join(str(text).split())
