"""Tasks that wait come in their order, and not before their time."""

from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.batch.waiting import Turn, Waiting
from ditta_adapt.batch.work import Task


def turn(name: str) -> Turn:
    return Turn(Task(name, None))


def test_in_order_and_when_due() -> None:
    waiting = Waiting([Task("a", None), Task("b", None)])
    waiting.put(turn("later"), 10)
    waiting.put(turn("sooner"), 5)
    assert len(waiting) == 4
    assert waiting.next_due() is None
    taken = [waiting.take(0), waiting.take(6), waiting.take(6), waiting.take(6)]
    assert [each.task.name if each else None for each in taken] == ["a", "sooner", "b", None]
    assert waiting.next_due() == 10
    assert waiting.take(10) == turn("later")
    assert waiting.next_due() is None
    assert len(waiting) == 0


@given(st.lists(st.floats(0, 100)), st.integers(0, 5))
def test_every_task_comes_once(dues: list[float], first: int) -> None:
    waiting = Waiting([Task(f"first {k}", None) for k in range(first)])
    for k, due in enumerate(dues):
        waiting.put(turn(f"later {k}"), due)
    taken = []
    for now in (0.0, 50.0, 100.0):
        while (found := waiting.take(now)) is not None:
            taken.append(found.task.name)
    expected = {f"first {k}" for k in range(first)} | {f"later {k}" for k in range(len(dues))}
    assert len(taken) == len(expected)
    assert set(taken) == expected
