"""Whose labels are given out, by all who have a say in it."""

from ditta_adapt.safety.drift_monitor import DriftMonitor
from ditta_adapt.safety.judge import Judge, Speaker


def who_speaks(
    judge: Judge | None, monitor: DriftMonitor | None, *, adapted: bool, remembers: bool
) -> Speaker:
    """The speaker for a frame.

    Args:
        judge: decides, where there is one.
        monitor: where it raises an alarm, adapted weights do not speak.
        adapted: whether there are any.
        remembers: whether votes are.
    """
    alarmed = monitor is not None and monitor.alarm is not None
    if judge is not None:
        return judge.without("adapted").speaker if alarmed else judge.speaker
    if adapted and not alarmed:
        return "adapted"
    return "memory" if remembers else "image model"
