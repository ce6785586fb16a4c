"""Whose labels are given out, by all who have a say in it."""

from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge, Speaker
from ditta_adapt.safety.memory_length import MemoryLength


def who_speaks(
    judge: Judge | None,
    monitor: DriftMonitor | None,
    length: MemoryLength | None,
    *,
    adapted: bool,
) -> Speaker:
    """The speaker for a frame.

    Args:
        judge: decides, where there is one.
        monitor: where it raises an alarm, adapted weights do not speak.
        length: of the memory; none where no votes are remembered.
        adapted: whether there are adapted weights.
    """
    alarmed = monitor is not None and monitor.alarm is not None
    if judge is not None:
        return judge.without("adapted").speaker if alarmed else judge.speaker
    if adapted and not alarmed:
        return "adapted"
    return "memory" if length is not None and has_a_say(length, judge) else "image model"


def has_a_say(length: MemoryLength | None, judge: Judge | None) -> bool:
    """Whether what is remembered counts: unless it is doubted, and nobody judges it."""
    return judge is not None or length is None or not length.doubted
