"""Cases of an evaluation as tasks of an engine, so that they use all devices of a cluster."""

import argparse
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ditta_adapt.batch.driver import Limits, run_batch
from ditta_adapt.batch.engine import Answer
from ditta_adapt.batch.engines import open_engine
from ditta_adapt.batch.names import safe_name
from ditta_adapt.batch.place import Place
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.work import Task
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.evaluate import Indexed, Plan, run_on
from ditta_adapt.evaluation.planning import plan_of
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.running.stopping import Stop, stop_on_signals

CASES = "cases"
"""The folder, in that of the results, with a marker for every case that is done."""


@dataclass(frozen=True, slots=True)
class EvaluateCases:
    """Evaluate cases of one plan, see `Work`.

    Attributes:
        options: of `ditta-adapt eval`.
    """

    options: argparse.Namespace

    def prepare(self) -> "CaseEvaluator":
        """Open data set, model and propagator."""
        plan = plan_of(self.options)
        return CaseEvaluator(plan, plan.settings())


@dataclass(slots=True)
class CaseEvaluator:
    """A worker's own plan, see `Prepared`.

    Attributes:
        plan: opened once.
        settings: what all results depend on.
    """

    plan: Plan
    settings: dict[str, Any]
    _opened: dict[int, LabelledVideo] = field(default_factory=dict)

    def identity(self, task: Task) -> dict[str, Any]:
        """Data set, weights, versions and whatever else results are kept apart by; and the case."""
        _, case = task.payload
        return {**self.settings, "case": asdict(case), "on_error": self.plan.on_error}

    def do(self, task: Task, folder: Path, stop: Stop) -> dict[str, Any]:
        """Run the case; its result is what the marker holds."""
        index, case = task.payload
        if index not in self._opened:
            # The next case is often of the same video, and one is enough to keep.
            self._opened = {index: self.plan.dataset[index]}
        return run_on(self.plan, self._opened[index], case).to_dict()


@dataclass(frozen=True, slots=True)
class OnEngine:
    """Runs cases on the engine that options name, see `Runner`.

    Attributes:
        options: of `ditta-adapt eval`.
    """

    options: argparse.Namespace

    def __call__(
        self, plan: Plan, cases: Sequence[Indexed], add: Callable[[VideoResult], None]
    ) -> None:
        """Run the cases.

        Raises:
            InputError: nothing more can be done now, such as on a full disk.
            KeyboardInterrupt: it was stopped; what is done is kept.
        """
        if not cases:
            return
        options = self.options
        out = options.out / CASES
        tasks = [Task(task_name(case), (index, case)) for index, case in cases]
        for task in tasks:
            # An evaluation tries again what failed.
            Place(out, task.name).forget_troubles()
        limits = Limits(attempts=options.attempts, seconds=options.time_limit)
        plain = {name: value for name, value in vars(options).items() if name != "run"}
        engine, workers = open_engine(EvaluateCases(argparse.Namespace(**plain)), out, options)

        def watch(standing: Standing, task: Task | None, answer: Answer | None) -> None:
            if task is not None and (last := standing.answers.get(task.name)) is not None:
                add(_result(task, last))

        with stop_on_signals() as stop:
            standing = run_batch(
                tasks, engine, out, workers=workers, limits=limits, stop=stop, watch=watch
            )
        if standing.halted:
            raise InputError(f"{standing.halted}; the same command goes on.")
        if not standing.complete:
            raise KeyboardInterrupt


def task_name(case: Case) -> str:
    """A name of its own for every case, which says to people what it is."""
    parts = (case.video, case.method, case.warmup, case.corruption)
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:12]
    return safe_name(f"{digest} {' '.join(filter(None, parts))}")


def _result(task: Task, answer: Answer) -> VideoResult:
    _, case = task.payload
    return (
        VideoResult.from_dict(answer.row) if answer.row else VideoResult(case, error=answer.reason)
    )
