"""Work beside the caller's own."""

import threading

import pytest

from ditta_adapt.running.beside import Beside


def test_everything_is_done_in_order() -> None:
    done: list[int] = []
    with Beside(done.append) as beside:
        for item in range(20):
            beside.put(item)
        beside.drain()
        assert done == list(range(20))


def test_only_so_many_items_wait() -> None:
    gate, done = threading.Semaphore(0), list[int]()

    def work(item: int) -> None:
        gate.acquire()
        done.append(item)

    with Beside(work, waiting=3) as beside:
        for item in range(3):
            beside.put(item)
        assert done == []
        gate.release()
        beside.put(3)
        assert done == [0]
        for _ in range(3):
            gate.release()
        beside.drain()


def test_after_an_error_nothing_is_done() -> None:
    done: list[int] = []

    def work(item: int) -> None:
        if item == 1:
            raise ValueError("full")
        done.append(item)

    with Beside(work, waiting=2) as beside:
        beside.put(0)
        beside.put(1)
        with pytest.raises(ValueError, match="full"):
            beside.drain()
        beside.put(2)
        beside.drain()
    assert done == [0]


def test_leaving_does_not_wait_for_what_is_of_no_use() -> None:
    gate, done = threading.Event(), list[int]()

    def work(item: int) -> None:
        gate.wait(5)
        done.append(item)

    def fail(beside: Beside[int]) -> None:
        for item in range(4):
            beside.put(item)
        threading.Timer(0.1, gate.set).start()
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"), Beside(work) as beside:
        fail(beside)
    assert done == [0]
