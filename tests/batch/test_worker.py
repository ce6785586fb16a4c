"""What a worker answers, and what it makes of errors."""

import os
from pathlib import Path

import pytest
import torch

from ditta_adapt.batch.place import Place
from ditta_adapt.batch.work import Task
from ditta_adapt.batch.worker import Worker, failure
from ditta_adapt.errors import AdaptationError, InputError
from tests.batch.works import Faults, full_disk


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    made = Worker(Faults(tmp_path / "log"), tmp_path / "out", torch.get_num_threads(), os.getcwd())
    assert made.prepare().kind == "ready"
    return made


def test_done_once(worker: Worker, tmp_path: Path) -> None:
    task = Task("clip", "fine")
    assert worker.perform(task).kind == "done"
    again = worker.perform(task)
    assert (again.kind, again.row) == ("was done", {"frames": 1, "seconds": 0.0})
    assert (tmp_path / "log").read_text() == "begun clip\nended clip\n"
    # What decides about results changed: payload, model, or threads.
    assert worker.perform(Task("clip", "other")).kind == "done"
    changed = Worker(Faults(tmp_path / "log", "model 2"), worker.out, worker.threads, os.getcwd())
    changed.prepare()
    assert changed.perform(Task("clip", "other")).kind == "done"
    changed.threads += 1
    assert changed.perform(Task("clip", "other")).kind == "done"
    assert changed.perform(Task("clip", "other")).kind == "was done"


def test_somebody_else_is_at_it(worker: Worker) -> None:
    with Place(worker.out, "clip").claimed():
        assert worker.perform(Task("clip", "fine")).kind == "claimed"
    assert worker.perform(Task("clip", "fine")).kind == "done"


def test_set_aside_until_it_changes_or_is_retried(worker: Worker) -> None:
    answer = worker.perform(Task("clip", "wrong"))
    assert answer.reason == "it is no video."
    place = Place(worker.out, "clip")
    place.add_trouble(answer.key, "it is no video.", given_up=True)
    aside = worker.perform(Task("clip", "wrong"))
    assert (aside.kind, aside.reason) == ("set aside", "it is no video.")
    place.forget_troubles()
    assert worker.perform(Task("clip", "wrong")).kind == "failed"
    place.add_trouble(answer.key, "it is no video.", given_up=True)
    assert worker.perform(Task("clip", "fine")).kind == "done"


def test_stopped_and_gone_on_with(worker: Worker) -> None:
    worker.stop()
    assert worker.perform(Task("clip", "slow")).kind == "stopped"
    assert worker.perform(Task("next", "fine")).kind == "done"


def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    answer = Worker(
        Faults(tmp_path / "log", "missing"), tmp_path, torch.get_num_threads(), os.getcwd()
    ).prepare()
    assert (answer.kind, answer.reason) == ("unfit", "there is no model missing.")


def raised_from(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "kind", "again", "fresh"),
    [
        (InputError("no video"), "failed", False, False),
        (raised_from(AdaptationError("failed"), InputError("size")), "failed", False, False),
        (raised_from(InputError("unread"), TimeoutError()), "failed", True, False),
        (raised_from(InputError("unread"), FileNotFoundError()), "failed", True, False),
        (RuntimeError("device-side assert"), "failed", True, True),
        (raised_from(AdaptationError("x"), torch.OutOfMemoryError()), "failed", True, True),
        (MemoryError(), "failed", True, True),
        (full_disk(), "full", False, False),
        (raised_from(InputError("cannot be written"), full_disk()), "full", False, False),
    ],
)
def test_what_an_error_means(error: Exception, kind: str, again: bool, fresh: bool) -> None:
    answer = failure(error)
    assert (answer.kind, answer.again, answer.fresh) == (kind, again, fresh)


def test_an_error_that_nobody_foresaw_says_where() -> None:
    try:
        raise RuntimeError("device-side assert")
    except RuntimeError as error:
        reason = failure(error).reason
    assert reason.startswith("RuntimeError: device-side assert (in ")
    assert "test_worker.py line" in reason


def test_a_full_disk(worker: Worker) -> None:
    answer = worker.perform(Task("clip", "full"))
    assert answer.kind == "full"
    assert "No space left" in answer.reason
