"""What goes wrong on a cluster is survived: two workers on two cores, each fault a real one."""

import ast
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ditta_adapt.batch import Limits, Task, run_batch
from ditta_adapt.batch.driver import WorkersLostError
from ditta_adapt.batch.on_ray import RayEngine, Size
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.worker import Worker
from ditta_adapt.errors import InputError
from ditta_adapt.running.stopping import Stop
from tests.batch.works import Faults

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
LIMITS = Limits(attempts=2, back_off=0.05, look_again=0.05, longest=0.2)


def run(
    out: Path, tasks: list[Task], *, limits: Limits = LIMITS, model: str = "model 1", **rest: Any
) -> Standing:
    engine = RayEngine(Worker(Faults(out.parent / "log", model), out, 1, os.getcwd()), Size())
    return run_batch(tasks, engine, out, workers=2, limits=limits, **rest)


def kinds(standing: Standing) -> dict[str, str]:
    return {name: answer.kind for name, answer in standing.answers.items()}


def begun(out: Path, name: str) -> int:
    return (out.parent / "log").read_text().split("\n").count(f"begun {name}")


@pytest.mark.usefixtures("ray")
def test_workers_killed_hanging_and_out_of_memory(tmp_path: Path) -> None:
    payloads = ["fine", "deadly once", "wrong", "deadly", "greedy", "unforeseen", "hanging", 0.01]
    out = tmp_path / "out"
    tasks = [Task(f"{payload}", payload) for payload in payloads]
    limits = Limits(attempts=2, seconds=3, back_off=0.05)
    standing = run(out, tasks, limits=limits)
    assert kinds(standing) == {
        "fine": "done",
        "deadly once": "done",
        "wrong": "failed",
        "deadly": "failed",
        "greedy": "failed",
        "unforeseen": "failed",
        "hanging": "failed",
        "0.01": "done",
    }
    assert [begun(out, f"{payload}") for payload in payloads] == [1, 2, 1, 2, 2, 2, 2, 1]
    assert standing.answers["deadly"].reason.startswith("ActorDiedError: ")
    assert standing.answers["hanging"].reason == "it took longer than 3 s"
    again = run(out, tasks)
    assert set(kinds(again).values()) == {"was done", "set aside"}


@pytest.mark.usefixtures("ray")
def test_a_full_disk(tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = [Task("a", "fine"), Task("full", "full"), Task("slow", "slow"), Task("c", "fine")]
    standing = run(out, tasks)
    assert "No space left" in standing.halted
    assert "failed" not in kinds(standing).values()
    # What was under way was stopped where it can be gone on with, and there is room again.
    assert "begun slow\n" not in (out.parent / "log").read_text() or (
        "stopped slow\n" in (out.parent / "log").read_text()
    )
    after = run(out, [Task("a", "fine"), Task("full", "fine"), Task("c", "fine")])
    assert set(kinds(after).values()) <= {"done", "was done"}


@pytest.mark.usefixtures("ray")
def test_stopped_where_it_can_be_gone_on_with(tmp_path: Path) -> None:
    out, stop = tmp_path / "out", Stop()
    tasks = [Task("one", "slow"), Task("two", "slow"), Task("three", "fine")]
    log = tmp_path / "log"

    def ask() -> None:
        while not (log.exists() and log.read_text().count("begun") == 2):
            time.sleep(0.02)
        stop.asked = True

    threading.Thread(target=ask, daemon=True).start()
    standing = run(out, tasks, stop=stop)
    assert not standing.complete
    assert log.read_text().count("stopped") == 2


@pytest.mark.usefixtures("ray")
def test_the_same_manifest_twice_at_once(tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = [Task(f"clip{k}", 0.05) for k in range(12)]
    found: list[Standing] = []
    both = [
        threading.Thread(target=lambda: found.append(run_one(out, tasks)), daemon=True)
        for _ in range(2)
    ]
    for each in both:
        each.start()
    for each in both:
        each.join(timeout=120)
    assert all(begun(out, task.name) == 1 for task in tasks)
    together = [kind for standing in found for kind in kinds(standing).values()]
    assert sorted(together) == ["done"] * 12 + ["was done"] * 12


def run_one(out: Path, tasks: list[Task]) -> Standing:
    """With one worker, so that both find room on two cores."""
    engine = RayEngine(Worker(Faults(out.parent / "log"), out, 1, os.getcwd()), Size())
    return run_batch(tasks, engine, out, workers=1, limits=LIMITS)


@pytest.mark.usefixtures("ray")
def test_clocks_that_are_wrong(tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = [Task(f"clip{k}", "fine") for k in range(4)]
    run(out, tasks)
    # Written by machines whose clocks are years behind or ahead.
    for number, path in enumerate(sorted(out.rglob("*"))):
        os.utime(path, (0, 0) if number % 2 else (4e9, 4e9))
    assert set(kinds(run(out, tasks)).values()) == {"was done"}


def test_no_clock_of_a_machine_is_asked() -> None:
    folder = Path(__file__).parents[2] / "ditta_adapt" / "batch"
    asked = {
        f"{node.value.id}.{node.attr}"
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id in ("time", "datetime")
    }
    assert asked == {"time.monotonic"}


@pytest.mark.usefixtures("ray")
def test_models_that_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model missing"):
        run(tmp_path / "out", [Task("a", "fine")], model="missing")
    with pytest.raises(WorkersLostError, match="ActorDiedError"):
        run(tmp_path / "out", [Task("a", "fine")], model="deadly")
