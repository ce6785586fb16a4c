"""How far a run is, on standard error."""

import sys
from importlib.util import find_spec
from typing import Any

from ditta_adapt.io.optional import require
from ditta_adapt.progress import Progress, Stage

_SAYS: dict[Stage, str] = {
    "predict": "predicting the warm-up",
    "look": "looking again",
    "track": "tracking objects",
    "targets": "making labels",
    "adapt": "adapting",
}


class Bars:
    """One bar a stage, with the time that is left; nothing without a terminal, or without tqdm.

    Args:
        shown: whether there are bars at all.
    """

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty() and find_spec("tqdm") is not None
        self._bar: Any = None
        self._title = ""

    def progress(self, progress: Progress) -> None:
        """A step of the adaptation is done."""
        self._show(_SAYS[progress.stage], progress.done, progress.total)

    def tick(self, done: int, total: int | None) -> None:
        """A frame has its labels."""
        self._show("labelling frames", done, total)

    def close(self) -> None:
        """End the last bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _show(self, title: str, done: int, total: int | None) -> None:
        if not self._shown:
            return
        if self._bar is None or title != self._title:
            self.close()
            # What was done before a run was stopped does not count for the speed.
            self._title = title
            self._bar = require("tqdm").tqdm(
                desc=title, total=total, initial=done - 1, dynamic_ncols=True
            )
        self._bar.update(done - self._bar.n)
