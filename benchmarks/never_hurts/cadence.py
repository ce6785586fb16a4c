"""What second looks bring, against what they cost: the same videos with more and fewer of them.

Every case is adapted once and streamed with every cadence side by side, on one encoding and one
look a frame. A case leaves a file; those that have one are not run again.

    python -m benchmarks.never_hurts.cadence --out runs/cadence
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.never_hurts.cases import WIDTHS, Case, widths
from benchmarks.never_hurts.collect import CANDIDATES, Looks, Tally, open_video
from benchmarks.never_hurts.judging import iou
from benchmarks.never_hurts.networks import build
from benchmarks.never_hurts.table import HEADER
from benchmarks.never_hurts.table import row as row_of
from ditta_adapt import AdaptConfig, CacheBudget, SecondLook
from ditta_adapt.adaptation import Adaptation, adapt_to_frames
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.demo.scenes import CLASS_NAMES
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.progress import silent
from ditta_adapt.reporting.tables import markdown
from ditta_adapt.streaming.known import Known
from ditta_adapt.streaming.prediction import predict_labels
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.build import build_targets

NETWORKS = (WIDTHS[1], WIDTHS[3])


def cadences(usual: SecondLook | None) -> dict[str, SecondLook | None]:
    """By name, from none to one on every fourth frame.

    Args:
        usual: at the sizes at which the model is trusted; none if it is at no size, and looks at
            no frame, whatever the cadence.
    """
    if usual is None:
        return dict.fromkeys(cadences(SecondLook()))
    cost = sum(scale**2 for scale in usual.scales)
    found: dict[str, SecondLook | None] = {}
    found["the warm-up alone"] = replace(usual, first=(), budget=0)
    found["the first looks alone"] = replace(usual, budget=0)
    found["default"] = usual
    found["default, twice the budget"] = replace(usual, budget=2 * usual.budget)
    for count in (32, 16, 8, 4):
        found[f"one in {count} frames"] = replace(usual, first=(), budget=cost / count)
    return found


def run_case(case: Case, folder: Path) -> dict[str, Any]:
    """By cadence, the change of the IoU and mVC8, and passes a frame."""
    path = folder / f"{case.name}.json"
    if path.is_file():
        found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return found
    torch.set_num_threads(1)
    video, warmup = open_video(case)
    frames = [frame_to_tensor(frame) for frame in video.frames]
    segmenter, propagator = build(case.network, case.size, folder), OpticalFlowPropagator()
    known = (segmenter, frames[:warmup], propagator, AdaptConfig(), build_targets)
    done = adapt_to_frames(*known, CacheBudget(), silent)
    classes = 2 if video.relabel is not None else len(CLASS_NAMES)
    looks = Looks()
    with ExitStack() as stack:
        stack.enter_context(patch("ditta_adapt.streaming.looking.second_look", looks))
        streams = _streams(done, propagator)
        for stream in streams.values():
            stack.callback(stream.close)
        tallies = {name: Tally.empty(classes, video.relabel) for name in streams}
        for t, frame in enumerate(frames[warmup:]):
            looks.frame, encoding = t, Known(encode_frame(segmenter, frame))
            for name, stream in streams.items():
                labels = stream.step(frame, predict_labels, known=encoding)
                tallies[name].add(labels, video.labels[warmup + t])
        spent = {
            name: 0.0 if stream.state.plan is None else stream.state.plan.spent
            for name, stream in streams.items()
        }
    base, steady = tallies.pop(CANDIDATES[0]), {}
    plain = (iou(base.confusion), base.mvc8())
    for name, tally in tallies.items():
        steady[name] = {
            "iou": iou(tally.confusion) - plain[0],
            "mvc8": _known(tally.mvc8() - plain[1]),
            "passes": spent[name] / len(frames[warmup:]),
        }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(steady, indent=2) + "\n", "utf-8")
    return steady


def _known(value: float) -> float | None:
    """JSON has no NaN: no class kept still for eight frames."""
    return None if np.isnan(value) else value


def _streams(done: Adaptation, propagator: OpticalFlowPropagator) -> dict[str, Stream]:
    """One for every cadence, as after the warm-up, and the image model alone."""
    stream, config = done.stream, done.report.config
    frozen, state = stream._frozen, stream.state
    plain = replace(config, look=None, safety=None)
    streams = {CANDIDATES[0]: Stream(frozen, frozen, plain)}
    for name, look in cadences(config.look).items():
        each = Stream(
            stream.student,
            frozen,
            replace(config, look=look),
            memory=stream.memory,
            propagator=propagator,
            monitor=stream.monitor,
            judge=stream.judge,
        )
        each.resume(replace(state, plan=each.plan))
        streams[name] = each
    return streams


def table(rows: Sequence[dict[str, Any]]) -> str:
    """By cadence, over all cases."""
    lines = [["looks", "passes a frame", *HEADER[1:]]]
    for name in rows[0]:
        found = [row[name] for row in rows]
        steady = [np.nan if each["mvc8"] is None else each["mvc8"] for each in found]
        label, *cells = row_of(name, [each["iou"] for each in found], steady)
        lines.append([label, f"{np.mean([each['passes'] for each in found]):.2f}", *cells])
    return markdown(lines)


def _job(job: tuple[Case, Path]) -> dict[str, Any]:
    return run_case(*job)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, then print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.never_hurts.cadence",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/cadence"))
    parser.add_argument("--first", type=int, help="only so many cases")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    cases = [case for case in widths() if case.network in NETWORKS][: options.first]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        rows = []
        for row in pool.imap_unordered(_job, [(case, options.out) for case in cases]):
            rows.append(row)
            print(f"{len(rows)} of {len(cases)} cases", file=sys.stderr, flush=True)
    print(f"{table(rows)}\n\n{len(rows)} cases")
    return 0


if __name__ == "__main__":
    sys.exit(main())
