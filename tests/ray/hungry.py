"""Work that takes as much memory as it is told."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.batch.work import Task
from ditta_adapt.running.stopping import Stop


@dataclass(frozen=True)
class Hungry:
    """A payload is MiB that are taken, little by little, and kept for a while."""

    def prepare(self) -> "Hungry":
        return self

    def identity(self, task: Task) -> dict[str, Any]:
        return {"payload": task.payload}

    def do(self, task: Task, folder: Path, stop: Stop) -> dict[str, Any]:
        taken = []
        for _ in range(0, task.payload, 100):
            taken.append(np.ones(100 * 2**17))
            time.sleep(0.1)
        time.sleep(1.0 if len(taken) == 1 else 20.0)
        return {"frames": len(taken), "seconds": 0.0}
