"""How far a batch is: a bar on a terminal, now and then a line in a log."""

import sys
import time
from collections import Counter
from importlib.util import find_spec
from typing import Any

from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.work import Task
from ditta_adapt.io.optional import require

_SECONDS_BETWEEN_LINES = 60.0


class BatchProgress:
    """Shown on standard error; see `Watch`.

    Args:
        quiet: show failures alone.
    """

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        terminal = sys.stderr.isatty() and find_spec("tqdm") is not None
        self._bar: Any = None
        self._with_bar = terminal and not quiet
        self._start = self._shown = time.monotonic()
        self._counts: Counter[str] = Counter()

    def __call__(self, standing: Standing, task: Task | None, answer: Answer | None) -> None:
        """An answer came, or a second passed."""
        if task is not None and answer is not None:
            if task.name in standing.answers:
                self._counts[answer.kind] += 1
            if answer.kind in ("failed", "lost"):
                again = "" if task.name in standing.answers else "; it is tried again"
                self._say(f"{task.name}: {answer.reason}{again}")
        if self._with_bar:
            self._show_bar(standing)
        elif not self._quiet:
            now = time.monotonic()
            due = now - self._shown > _SECONDS_BETWEEN_LINES
            if due or standing.complete:
                self._shown = now
                self._say(self._line(standing))

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()

    def _line(self, standing: Standing) -> str:
        finished = len(standing.answers)
        parts = [f"{finished} of {standing.total} finished", f"{standing.running} running"]
        if not standing.ready:
            parts.append("no worker is ready yet")
        if aside := self._counts["failed"] + self._counts["lost"] + self._counts["set aside"]:
            parts.append(f"{aside} set aside")
        if standing.claimed:
            parts.append(f"{standing.claimed} with another batch")
        computed = finished - self._counts["was done"] - self._counts["set aside"]
        if computed and finished < standing.total:
            seconds = (time.monotonic() - self._start) / computed * (standing.total - finished)
            minutes, rest = divmod(round(seconds), 60)
            parts.append(f"{minutes // 60}:{minutes % 60:02}:{rest:02} left")
        return ", ".join(parts)

    def _show_bar(self, standing: Standing) -> None:
        if self._bar is None:
            self._bar = require("tqdm").tqdm(
                desc="videos", total=standing.total, dynamic_ncols=True, unit="video"
            )
        self._bar.set_postfix_str(f"{standing.running} running", refresh=False)
        self._bar.update(len(standing.answers) - self._bar.n)

    def _say(self, text: str) -> None:
        if self._bar is not None:
            self._bar.write(f"ditta-adapt: {text}", file=sys.stderr)
        else:
            print(f"ditta-adapt: {text}", file=sys.stderr, flush=True)
