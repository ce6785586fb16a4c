"""Work beside the caller's own."""

import os
import subprocess
import sys
import threading

import pytest

from ditta_adapt.teachers.flow.beside import beside


def test_runs_while_the_caller_does() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow() -> str:
        begun.set()
        assert go_on.wait(10)
        return "done"

    answer = beside(slow)
    assert begun.wait(10)
    assert not answer.done()
    go_on.set()
    assert answer.result() == "done"
    assert answer.result() == "done"


def test_what_was_raised_is_raised_where_it_is_asked_for() -> None:
    def broken() -> None:
        raise LookupError

    answer = beside(broken)
    with pytest.raises(LookupError):
        answer.result()


def test_two_streams_do_not_wait_for_each_other() -> None:
    both = threading.Barrier(2)
    for answer in [beside(lambda: both.wait(10)) for _ in range(2)]:
        answer.result()


def test_threads_are_used_again() -> None:
    # Every new one would keep some memory of OpenCV's for good.
    used = {beside(threading.current_thread).result() for _ in range(300)}
    assert len(used) < 40


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system forks no processes")
def test_a_process_that_was_forked_has_threads_of_its_own() -> None:
    program = """
import os
from ditta_adapt.teachers.flow.beside import beside
assert beside(lambda: 1).result(10) == 1
child = os.fork()
if child == 0:
    os._exit(beside(lambda: 7).result(10))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split() == ["7"], done.stderr
