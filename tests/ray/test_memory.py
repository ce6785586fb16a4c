"""A video that takes all memory: Ray's own monitor ends its worker, and it is set aside."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, sys
from pathlib import Path

import pytest
import ray
from ditta_adapt.batch import Limits, Task, run_batch
from ditta_adapt.batch.on_ray import RayEngine, Size
from ditta_adapt.batch.worker import Worker
from tests.ray.hungry import Hungry

out = Path(sys.argv[1])
engine = RayEngine(Worker(Hungry(), out, 1, os.getcwd()), Size())
limits = Limits(attempts=2, back_off=0.05, seconds=60)
tasks = [Task("fine", 1), Task("hungry", 4000), Task("fine, too", 1)]
standing = run_batch(tasks, engine, out, workers=1, limits=limits)
print(json.dumps({name: [a.kind, a.reason] for name, a in standing.answers.items()}))
"""


def test_not_for_ever(tmp_path: Path) -> None:
    with open("/proc/meminfo") as file:
        known = dict(line.split(":") for line in file)
    total, free = (int(known[key].split()[0]) / 2**10 for key in ("MemTotal", "MemAvailable"))
    # More than the cluster takes with a worker that is well, and less than the hungry one.
    threshold = (total - free + 2500) / total
    if threshold > 0.95:
        pytest.skip(f"4 GiB are to be taken, and only {free:.0f} MiB are free")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
        "RAY_memory_usage_threshold": f"{threshold:.4f}",
        "RAY_memory_monitor_refresh_ms": "50",
    }
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=150)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout.splitlines()[-1])
    assert answers["fine"][0] == answers["fine, too"][0] == "done"
    assert answers["hungry"][0] == "failed"
    assert "memory" in answers["hungry"][1].lower()
