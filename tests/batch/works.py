"""Work that tests give to workers in other processes: small, and with faults where it is told."""

import errno
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ditta_adapt.batch.work import Task
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import write_files
from ditta_adapt.running.stopping import Stop


@dataclass(frozen=True)
class Faults:
    """Writes a file a task; a payload says what goes wrong, the log what was begun and ended."""

    log: Path
    model: str = "model 1"

    def prepare(self) -> "Faults":
        if self.model == "missing":
            raise InputError("there is no model missing.")
        if self.model == "deadly":
            os.kill(os.getpid(), signal.SIGKILL)
        return self

    def identity(self, task: Task) -> dict[str, Any]:
        return {"payload": task.payload, "model": self.model}

    def do(self, task: Task, folder: Path, stop: Stop) -> dict[str, Any] | None:
        begun = self.log.read_text().count(f"begun {task.name}\n") if self.log.exists() else 0
        self._note(f"begun {task.name}")
        match task.payload:
            case "wrong":
                raise InputError("it is no video.")
            case "unforeseen":
                raise RuntimeError("CUDA error: device-side assert triggered")
            case "deadly":
                os.kill(os.getpid(), signal.SIGKILL)
            case "deadly once" if not begun:
                os.kill(os.getpid(), signal.SIGKILL)
            case "hanging":
                time.sleep(1000)
            case "full":
                write_files({Path("/dev/full"): b"x"})
            case "greedy":
                raise MemoryError
            case "slow":
                while not stop.asked:
                    time.sleep(0.01)
                self._note(f"stopped {task.name}")
                return None
            case float(seconds):
                time.sleep(seconds)
        (folder / "result.txt").write_text(f"{task.name} {task.payload}\n")
        self._note(f"ended {task.name}")
        return {"frames": 1, "seconds": 0.0}

    def _note(self, line: str) -> None:
        with self.log.open("a") as file:
            file.write(f"{line}\n")


def full_disk() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
