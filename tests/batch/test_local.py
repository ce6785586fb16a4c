"""Workers in processes of this machine: killed, hanging, out of memory, left behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ditta_adapt.batch import Limits, LocalEngine, Task, run_batch
from ditta_adapt.batch.driver import WorkersLostError
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.worker import Worker
from ditta_adapt.errors import InputError
from ditta_adapt.running.stopping import Stop
from tests.batch.works import Faults

LIMITS = Limits(attempts=2, back_off=0.01)


def engine_at(out: Path, model: str = "model 1") -> LocalEngine:
    return LocalEngine(Worker(Faults(out.parent / "log", model), out, 1, os.getcwd()))


def test_whatever_happens_the_others_are_done(tmp_path: Path) -> None:
    payloads = ["fine", "deadly once", "wrong", "deadly", "greedy", "unforeseen", 0.01]
    tasks = [Task(f"{payload}", payload) for payload in payloads]
    out = tmp_path / "out"
    standing = run_batch(tasks, engine_at(out), out, limits=LIMITS)
    assert {name: answer.kind for name, answer in standing.answers.items()} == {
        "fine": "done",
        "deadly once": "done",
        "wrong": "failed",
        "deadly": "failed",
        "greedy": "failed",
        "unforeseen": "failed",
        "0.01": "done",
    }
    assert "ended by SIGKILL; the system does that where memory runs out" in (
        standing.answers["deadly"].reason
    )
    log = (tmp_path / "log").read_text().split("\n")
    assert [log.count(f"begun {task.name}") for task in tasks] == [1, 2, 1, 2, 2, 2, 1]
    # Set aside: not tried again by the next batch.
    again = run_batch(tasks, engine_at(out), out, limits=LIMITS)
    assert {answer.kind for answer in again.answers.values()} == {"was done", "set aside"}
    assert (tmp_path / "log").read_text().split("\n") == log


def test_one_that_hangs(tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = [Task("hangs", "hanging"), Task("next", "fine")]
    limits = Limits(attempts=1, seconds=1.5)
    standing = run_batch(tasks, engine_at(out), out, limits=limits)
    assert {name: answer.kind for name, answer in standing.answers.items()} == {
        "hangs": "failed",
        "next": "done",
    }


def test_stopped_where_it_can_be_gone_on_with(tmp_path: Path) -> None:
    out, stop = tmp_path / "out", Stop()
    log = tmp_path / "log"

    class Engine(LocalEngine):
        def wait(self, seconds: float) -> list:
            stop.asked = log.exists()
            return super().wait(min(seconds, 0.05))

    engine = Engine(Worker(Faults(log), out, 1, os.getcwd()))
    standing = run_batch([Task("slow", "slow")], engine, out, stop=stop)
    assert not standing.complete
    assert log.read_text() == "begun slow\nstopped slow\n"


def test_a_full_disk_stops_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    tasks = [Task("a", "fine"), Task("b", "full"), Task("c", "fine")]
    standing = run_batch(tasks, engine_at(out), out)
    assert "No space left" in standing.halted
    assert list(standing.answers) == ["a"]


def test_models_that_cannot_be_loaded(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(InputError, match="no model missing"):
        run_batch([Task("a", "fine")], engine_at(out, "missing"), out)
    with pytest.raises(WorkersLostError, match=r"3 workers in a row .* SIGKILL"):
        run_batch([Task("a", "fine")], engine_at(out, "deadly"), out)


DRIVER = """
import os, sys
from pathlib import Path
from ditta_adapt.batch import Limits, LocalEngine, Task, run_batch
from ditta_adapt.batch.worker import Worker
from tests.batch.works import Faults

if __name__ == "__main__":
    out = Path(sys.argv[1])
    tasks = [Task(f"clip{k}", float(seconds)) for k, seconds in enumerate(sys.argv[2:])]
    engine = LocalEngine(Worker(Faults(out.parent / "log"), out, 1, os.getcwd()))
    standing = run_batch(tasks, engine, out, limits=Limits(look_again=0.05, longest=0.1))
    print(sorted(answer.kind for answer in standing.answers.values()))
"""


def driver(tmp_path: Path, *seconds: float) -> "subprocess.Popen[str]":
    program = tmp_path / "driver.py"
    program.write_text(DRIVER)
    arguments = [sys.executable, str(program), str(tmp_path / "out"), *map(str, seconds)]
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)


def wait_for(log: Path, line: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if log.exists() and line in log.read_text():
            return
        time.sleep(0.02)
    raise AssertionError(f"{line} is not in the log")


def test_the_driver_is_killed_and_started_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with driver(tmp_path, 0.01, 1000) as first:
        wait_for(log, "begun clip1")
        first.send_signal(signal.SIGKILL)
        first.wait()
    # Its worker ends with it, so that the claim is free.
    with driver(tmp_path, 0.01, 0.02) as second:
        assert second.communicate()[0] == "['done', 'was done']\n"
    lines = log.read_text().split()
    assert lines.count("clip0") == 2
    assert (tmp_path / "out" / "clip1" / "result.txt").read_text() == "clip1 0.02\n"


def test_the_same_batch_twice_at_once(tmp_path: Path) -> None:
    seconds = [0.1] * 8
    with driver(tmp_path, *seconds) as first, driver(tmp_path, *seconds) as second:
        said = [each.communicate()[0] for each in (first, second)]
    log = (tmp_path / "log").read_text().split("\n")
    assert sorted(log[:-1]) == sorted(
        f"{word} clip{k}" for k in range(8) for word in ("begun", "ended")
    )
    assert sum(text.count("'done'") for text in said) == 8
    assert sum(text.count("'was done'") for text in said) == 8


def test_a_standing_is_complete_with_a_last_word_on_every_task() -> None:
    assert Standing(0).complete
    assert not Standing(1).complete
