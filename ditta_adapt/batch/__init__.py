"""Many videos on an engine that schedules them; see `driver.run_batch` and `ditta-adapt batch`."""

from ditta_adapt.batch.driver import Limits, run_batch
from ditta_adapt.batch.engine import Answer, Engine
from ditta_adapt.batch.local import LocalEngine
from ditta_adapt.batch.manifest import Entry, read_manifest
from ditta_adapt.batch.work import Prepared, Task, Work

__all__ = [
    "Answer",
    "Engine",
    "Entry",
    "Limits",
    "LocalEngine",
    "Prepared",
    "Task",
    "Work",
    "read_manifest",
    "run_batch",
]
