"""The driver brings every task to an end, whatever workers do."""

import time
from collections import deque
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.batch.driver import Limits, WorkersLostError, run_batch
from ditta_adapt.batch.engine import Answer, Kind
from ditta_adapt.batch.place import Place
from ditta_adapt.batch.standing import Standing
from ditta_adapt.batch.work import Task
from ditta_adapt.errors import InputError
from ditta_adapt.running.stopping import Stop

FAST = Limits(back_off=0.001, look_again=0.001, longest=0.002)
DONE = Answer("done", {"frames": 1})


class Scripted:
    """Workers that answer what is written for each task, the last answer again and again."""

    def __init__(self, script: dict[str, list[Answer]], starts: list[Answer] | None = None) -> None:
        self.script = {name: deque(answers) for name, answers in script.items()}
        self.starts = deque(starts or [])
        self.answers: deque[tuple[int, Answer]] = deque()
        self.given: list[str] = []
        self.running: dict[int, str | None] = {}
        self.most = 0
        self.asked: list[int] = []
        self.closed = False

    def start(self, slot: int) -> None:
        assert slot not in self.running
        self.running[slot] = None
        self.answers.append((slot, self.starts.popleft() if self.starts else Answer("ready")))

    def give(self, slot: int, task: Task) -> None:
        assert self.running[slot] is None
        self.running[slot] = task.name
        self.most = max(self.most, sum(name is not None for name in self.running.values()))
        self.given.append(task.name)
        script = self.script[task.name]
        answer = script.popleft() if len(script) > 1 else script[0]
        if answer.kind != "stopped":
            self.answers.append((slot, answer))

    def wait(self, seconds: float) -> list[tuple[int, Answer]]:
        if not self.answers:
            time.sleep(min(seconds, 0.002))
            return []
        slot, answer = self.answers.popleft()
        self.running[slot] = None
        if answer.kind == "lost":
            del self.running[slot]
        return [(slot, answer)]

    def ask_to_stop(self, slot: int) -> None:
        self.asked.append(slot)
        self.answers.append((slot, Answer("stopped")))

    def end(self, slot: int) -> None:
        self.running.pop(slot, None)

    def close(self) -> None:
        self.closed = True


def failed(reason: str = "why", *, again: bool = True, fresh: bool = False) -> Answer:
    return Answer("failed", reason=reason, key="key", again=again, fresh=fresh)


def run(
    engine: Scripted,
    out: Path,
    *,
    workers: int = 2,
    limits: Limits = FAST,
    stop: Stop | None = None,
) -> Standing:
    tasks = [Task(name, None) for name in engine.script]
    standing = run_batch(tasks, engine, out, workers=workers, limits=limits, stop=stop)
    assert engine.closed
    return standing


def kinds(standing: Standing) -> dict[str, Kind]:
    return {name: answer.kind for name, answer in standing.answers.items()}


def test_all_are_done_with_as_many_under_way_as_there_are_workers(tmp_path: Path) -> None:
    engine = Scripted({f"clip{k}": [DONE] for k in range(9)})
    standing = run(engine, tmp_path, workers=3)
    assert engine.given == [f"clip{k}" for k in range(9)]
    assert engine.most <= 3
    assert standing.complete
    assert set(kinds(standing).values()) == {"done"}


def test_no_more_workers_than_tasks(tmp_path: Path) -> None:
    engine = Scripted({"clip": [DONE]})
    run(engine, tmp_path, workers=50)
    assert len(engine.running) == 1


def test_what_fails_is_tried_again_and_set_aside_in_the_end(tmp_path: Path) -> None:
    engine = Scripted(
        {
            "twice": [failed(), failed(), DONE],
            "always": [failed("one"), failed("two"), failed("three")],
            "deadly": [Answer("lost", reason="killed")],
            "wrong": [failed("no video", again=False)],
        }
    )
    standing = run(engine, tmp_path)
    assert kinds(standing) == {
        "twice": "done",
        "always": "failed",
        "deadly": "failed",
        "wrong": "failed",
    }
    assert [engine.given.count(name) for name in engine.script] == [3, 3, 3, 1]
    assert standing.answers["always"].reason == "three"
    troubles = Place(tmp_path, "always").troubles()
    assert troubles.reasons == ["one", "two", "three"]
    assert troubles.given_up
    assert Place(tmp_path, "wrong").troubles().given_up
    assert Place(tmp_path, "twice").troubles().reasons == ["why", "why"]


def test_back_off_doubles_up_to_a_bound() -> None:
    limits = Limits(longest=5)
    assert [limits.pause(1, before) for before in (0, 1, 2, 3, 10**9)] == [1, 2, 4, 5, 5]


def test_what_another_batch_is_at_is_asked_for_again_however_often(tmp_path: Path) -> None:
    engine = Scripted({"busy": [Answer("claimed")] * 40 + [Answer("was done", {"frames": 1})]})
    standing = run(engine, tmp_path)
    assert kinds(standing) == {"busy": "was done"}
    assert len(engine.given) == 41
    assert standing.claimed == 0


def test_a_full_disk_stops_the_batch_and_sets_nothing_aside(tmp_path: Path) -> None:
    engine = Scripted(
        {"first": [Answer("full", reason="no space")], "slow": [Answer("stopped")], "last": [DONE]}
    )
    standing = run(engine, tmp_path)
    assert standing.halted == "no space"
    assert standing.answers == {}
    assert engine.asked == [1]
    assert not Place(tmp_path, "first").troubles().given_up


def test_asked_to_stop(tmp_path: Path) -> None:
    stop = Stop()
    engine = Scripted({"slow": [Answer("stopped")], "next": [DONE]})
    standing = run_batch(
        [Task(name, None) for name in engine.script],
        engine,
        tmp_path,
        workers=1,
        stop=stop,
        watch=lambda *_: setattr(stop, "asked", True),
    )
    assert not standing.complete
    assert not standing.halted


def test_a_video_that_takes_too_long(tmp_path: Path) -> None:
    engine = Scripted({"hangs": [Answer("stopped")], "next": [DONE]})
    limits = Limits(attempts=2, seconds=0.02, back_off=0.001, longest=0.002)
    standing = run(engine, tmp_path, workers=1, limits=limits)
    assert kinds(standing) == {"hangs": "failed", "next": "done"}
    assert standing.answers["hangs"].reason == "it took longer than 0.02 s"
    assert engine.given.count("hangs") == 2


def test_workers_that_cannot_load(tmp_path: Path) -> None:
    unfit, lost = Answer("unfit", reason="no such model"), Answer("lost", reason="killed")
    with pytest.raises(InputError, match="no such model"):
        run(Scripted({"a": [DONE]}, [unfit]), tmp_path)
    with pytest.raises(WorkersLostError, match=r"3 workers in a row .*killed"):
        run(Scripted({"a": [DONE]}, [lost] * 3), tmp_path)
    assert run(Scripted({"a": [DONE]}, [lost] * 2), tmp_path).complete


def test_one_bad_machine_does_not_end_the_batch(tmp_path: Path) -> None:
    lost, ready = Answer("lost", reason="killed"), Answer("ready")
    script = {f"clip{k}": [DONE] for k in range(9)}
    for bad in (lost, Answer("unfit", reason="the hub refuses")):
        starts = [bad, ready, bad, bad, bad, bad]
        standing = run(Scripted(script, starts), tmp_path, workers=3)
        assert set(kinds(standing).values()) == {"done"}


def test_all_machines_lost_on_the_way(tmp_path: Path) -> None:
    lost = Answer("lost", reason="the machine is gone")
    engine = Scripted({"a": [DONE], "b": [lost]}, [Answer("ready"), lost, lost, lost])
    standing = run(engine, tmp_path, workers=1)
    assert kinds(standing) == {"a": "done"}
    assert "no worker is left" in standing.halted
    assert "the machine is gone" in standing.halted


def test_a_worker_that_was_stopped_by_somebody_else_is_replaced(tmp_path: Path) -> None:
    class Terminated(Scripted):
        def give(self, slot: int, task: Task) -> None:
            super().give(slot, task)
            if self.given == ["a"]:
                self.answers.append((slot, Answer("stopped", fresh=True)))

    engine = Terminated({"a": [Answer("stopped"), DONE], "b": [DONE]})
    standing = run(engine, tmp_path, workers=1)
    assert kinds(standing) == {"a": "done", "b": "done"}
    assert len(engine.given) == 3


def test_losses_of_a_video_that_gets_further_each_time_do_not_set_it_aside(tmp_path: Path) -> None:
    class Taken(Scripted):
        def give(self, slot: int, task: Task) -> None:
            super().give(slot, task)
            place = Place(tmp_path, task.name)
            written = len(self.given) if task.name == "long" else 1
            (place.begin("key") / f"{written}.png").write_text("labels")

    lost = Answer("lost", reason="the machine is gone")
    engine = Taken({"long": [lost] * 7 + [DONE]})
    assert kinds(run(engine, tmp_path)) == {"long": "done"}
    engine = Taken({"stuck": [lost] * 7 + [DONE]})
    assert kinds(run(engine, tmp_path)) == {"stuck": "failed"}
    assert len(engine.given) == 3


def test_what_is_seen_while_it_goes_on(tmp_path: Path) -> None:
    seen = []
    engine = Scripted({f"clip{k}": [DONE] for k in range(6)})
    run_batch(
        [Task(name, None) for name in engine.script],
        engine,
        tmp_path,
        workers=2,
        watch=lambda standing, task, answer: seen.append(
            (task and task.name, standing.ready, standing.running, len(standing.answers))
        ),
    )
    told = [each for each in seen if each[0]]
    assert [name for name, *_ in told] == [f"clip{k}" for k in range(6)]
    assert told[0][1:] == (2, 2, 1)
    assert told[-1][1:] == (2, 0, 6)


def test_wrong_use(tmp_path: Path) -> None:
    twins = [Task("a", 1), Task("a", 2)]
    with pytest.raises(InputError, match="the same name"):
        run_batch(twins, Scripted({}), tmp_path)
    with pytest.raises(InputError, match="number of workers is 0"):
        run_batch([], Scripted({}), tmp_path, workers=0)
    with pytest.raises(InputError, match="attempts is 0"):
        Limits(attempts=0)
    with pytest.raises(InputError, match="time limit is 0"):
        Limits(seconds=0)
    assert run_batch([], Scripted({}), tmp_path).complete


ANSWERS = st.sampled_from(
    [
        DONE,
        Answer("was done", {"frames": 1}),
        Answer("set aside", reason="before"),
        Answer("claimed"),
        Answer("lost", reason="killed"),
        failed(),
        failed(fresh=True),
        failed(again=False),
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(ANSWERS, min_size=1, max_size=6), max_size=8), st.integers(1, 4))
def test_every_task_gets_one_last_word(
    tmp_path_factory: pytest.TempPathFactory, script: list[list[Answer]], workers: int
) -> None:
    engine = Scripted({f"clip{k}": [*answers, DONE] for k, answers in enumerate(script)})
    standing = run(engine, tmp_path_factory.mktemp("out"), workers=workers)
    assert standing.complete
    assert set(standing.answers) == set(engine.script)
    for k, answers in enumerate(script):
        trouble = [a for a in answers if a.kind in ("failed", "lost")]
        assert engine.given.count(f"clip{k}") <= len(answers) + 1
        if not trouble and all(answer.kind == "claimed" for answer in answers):
            assert standing.answers[f"clip{k}"] == DONE
    assert (standing.running, standing.claimed) == (0, 0)
