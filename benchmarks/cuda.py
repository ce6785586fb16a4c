"""Everything that is to be measured and tested on a GPU, by one command in under five minutes.

Runs the tests that need a GPU, then the speed benchmarks; prints their tables and writes the rows.
Needed are torch, transformers, numpy, OpenCV, scipy, safetensors, jaxtyping, pytest and hypothesis;
install this package itself with `pip install --no-deps --no-build-isolation -e .`, so that its
entry points are there. With `--device cpu --tiny` all of it runs anywhere in a minute or two.

    python -m benchmarks.cuda --json cuda.json
    python -m benchmarks.cuda --device cpu --tiny
"""

import argparse
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks import adaptation, flow, overhead, sam2_speed
from benchmarks.speed.workload import device_name

ROOT = Path(__file__).resolve().parents[1]


def tests() -> str:
    """The last line of the tests that need a GPU."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/cuda"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    lines = done.stdout.strip().splitlines()
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n")
    return lines[-1] if lines else done.stderr[-200:]


def steps(device: str, *, tiny: bool) -> dict[str, Callable[[], Any]]:
    """What is run, by a name, in this order."""
    models = ["tiny"] if tiny else ["mit-b5", "mit-b0"]
    size = ["--size", "96", "160"] if tiny else []
    short = ["--frames", "8", "--looked", "8"] if tiny else ["--frames", "40", "--looked", "200"]

    def overheads(model: str, dtype: str) -> Callable[[], Any]:
        options = ["--device", device, "--model", model, "--dtype", dtype, *size, *short]
        return lambda: overhead.main(options)

    found: dict[str, Callable[[], Any]] = {"tests": tests}
    for model in models:
        found[f"overhead, {model}, float32"] = overheads(model, "float32")
    found[f"overhead, {models[0]}, bfloat16"] = overheads(models[0], "bfloat16")
    rounds = "3" if tiny else "20"
    found["flow"] = lambda: flow.main(["--device", device, "--times-only", "--rounds", rounds])
    few = ["--rounds", "1", "--frames", "3"] if tiny else ["--rounds", "3"]
    options = ["--device", device, "--model", models[0], *size, *few]
    found["adaptation"] = lambda: adaptation.main(options)
    objects = ["--size", "tiny", "--objects", "3", "--frames", "3"] if tiny else []
    found["sam2"] = lambda: sam2_speed.main(["--device", device, "--rounds", "1", *objects])
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all; one step that fails does not stop the others."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cuda",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="only try whether everything runs")
    parser.add_argument("--only", nargs="+", help="steps whose names begin with one of these")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    print(device_name(torch.device(options.device)), flush=True)
    done: dict[str, Any] = {}
    for name, step in steps(options.device, tiny=options.tiny).items():
        if options.only and not name.startswith(tuple(options.only)):
            continue
        start = time.perf_counter()
        print(f"\n## {name}\n", flush=True)
        try:
            answer = step()
        # The machine is lent for minutes: what can be measured is.
        except Exception as error:
            traceback.print_exc(limit=-4)
            answer = f"failed: {type(error).__name__}: {error}"
        if isinstance(answer, str):
            print(answer)
        took = time.perf_counter() - start
        done[name] = {"answer": answer, "seconds": round(took, 1)}
        print(f"\n({took:.0f} s)", flush=True)
    if options.json:
        options.json.write_text(json.dumps(done, indent=1, default=str) + "\n")
    return 1 if any("failed" in str(each["answer"]) for each in done.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
