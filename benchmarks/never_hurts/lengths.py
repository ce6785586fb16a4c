"""How long the memory should be: fixed lengths against the one that is tested by what it predicts.

Votes of the image model alone, without second looks and nothing trained, so that the length is all
that differs. Every case is streamed with every length side by side, on one encoding a frame, and
once as the library does it. A case leaves a file; those that have one are not run again.

    python -m benchmarks.never_hurts.lengths --out runs/lengths
"""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor

from benchmarks.never_hurts.cases import Case, scenes, widths
from benchmarks.never_hurts.collect import Tally, open_video
from benchmarks.never_hurts.judging import iou
from benchmarks.never_hurts.networks import build, trained
from benchmarks.never_hurts.table import HEADER
from benchmarks.never_hurts.table import row as row_of
from ditta_adapt import AdaptConfig, CacheBudget, WarpedVotes
from ditta_adapt.adaptation import adapt_to_frames
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.demo.scenes import CLASS_NAMES
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.progress import silent
from ditta_adapt.reporting.tables import markdown
from ditta_adapt.safety import surely_worse
from ditta_adapt.safety.agreement import agreement
from ditta_adapt.safety.memory_length import MemoryLength
from ditta_adapt.streaming.known import Known
from ditta_adapt.streaming.prediction import Evidence, predict_labels
from ditta_adapt.streaming.rehearsal import REMEMBERED
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.build import build_targets
from ditta_adapt.teachers.live_warper import LiveWarper
from ditta_adapt.teachers.warped_labels import warp_labels

DECAYS = tuple(WarpedVotes().decay ** (2**n) for n in range(4))
"""Of the default memory, and of one that is half, a quarter and an eighth as long."""
NAMES = (*(f"decay {decay:.2f}" for decay in DECAYS), "tested")
SHARES = (0.0, 0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Compared:
    """One case.

    Attributes:
        confusion: of the image model, of every length and of the one tested, a matrix a frame
            after the warm-up.
        differences: by frame but the first, of the warm-up too, and by length: how much better
            the memory predicted the frame than the labels of the one before did.
        steady: mVC8 less the image model's, by length, and as tested.
        warmup: frames.
    """

    confusion: np.ndarray
    differences: np.ndarray
    steady: np.ndarray
    warmup: int

    def change(self, name: str) -> float:
        """IoU of one length, less that of the image model."""
        return iou(self.confusion[1 + NAMES.index(name)]) - iou(self.confusion[0])

    def replayed(self, share: float) -> float:
        """The same with quantiles that are so many times as large, as far as can be said.

        Each length ran from the first frame on, while in the library it begins with the change.
        """
        quantiles = [share * each for each in surely_worse._QUANTILES]
        large = share * surely_worse._LARGE
        with patch.multiple(surely_worse, _QUANTILES=quantiles, _LARGE=large):
            length = MemoryLength(DECAYS[0])
            first = max(self.warmup - REMEMBERED, 0)
            # The first frame after the first is predicted by that alone.
            seen = self.differences[first + 1 : self.warmup - 1]
            while (next_one := length.after(*seen[:, length.halvings])).halvings > length.halvings:
                length = next_one
            length = replace(length, differences=tuple(seen[:, length.halvings]))
            total = []
            for t in range(self.confusion.shape[1]):
                total.append(self.confusion[0 if length.doubted else 1 + length.halvings, t])
                if length.goes_on(judged=False):
                    length = length.after(self.differences[self.warmup - 1 + t, length.halvings])
        return iou(np.stack(total)) - iou(self.confusion[0])


def compare(case: Case, folder: Path) -> Compared:
    """Run a case, unless its file is there."""
    path = folder / f"{case.name}.npz"
    if not path.is_file():
        found = _run(case, folder)
        part = path.with_suffix(".part.npz")
        np.savez_compressed(part, **vars(found))
        part.rename(path)
    with np.load(path) as kept:
        arrays = {name: kept[name] for name in ("confusion", "differences", "steady")}
        return Compared(**arrays, warmup=int(kept["warmup"]))


def _run(case: Case, folder: Path) -> Compared:
    torch.set_num_threads(1)
    video, warmup = open_video(case)
    frames = [frame_to_tensor(frame) for frame in video.frames]
    segmenter, propagator = build(case.network, case.size, folder), OpticalFlowPropagator()
    known = (segmenter, frames[:warmup], propagator, AdaptConfig(targets=None, look=None))
    done = adapt_to_frames(*known, build_targets, CacheBudget(), silent)
    frozen = done.stream.student_of("image model")
    config = replace(done.report.config, safety=None)
    streams = {"image model": Stream(frozen, frozen, config)}
    for name, decay in zip(NAMES, DECAYS, strict=False):
        memory = WarpedVotes(decay=decay)
        streams[name] = Stream(frozen, frozen, config, memory=memory, propagator=propagator)
    classes = 2 if video.relabel is not None else len(CLASS_NAMES)
    tallies = {name: Tally.empty(classes, video.relabel) for name in ("image model", *NAMES)}
    warper, differences = LiveWarper(propagator), []
    before: dict[str, Tensor] = {}
    with ExitStack() as stack:
        for each in (*streams.values(), done.stream, warper):
            stack.callback(each.close)
        for t, frame in enumerate(frames):
            encoded, now = Known(encode_frame(segmenter, frame)), {}
            for name, stream in streams.items():
                labels, now[name] = stream.step(frame, _both, known=encoded)
                if t >= warmup:
                    tallies[name].add(labels, video.labels[t])
            if t >= warmup:
                labels = done.stream.step(frame, predict_labels, known=encoded)
                tallies["tested"].add(labels, video.labels[t])
            if t:
                warper.advance(frame)
                count = segmenter.num_classes
                moved = [warp_labels(warper.warp, labels, count) for labels in before.values()]
                known_cells = torch.stack([cells for _, cells in moved]).all(dim=0)
                said, plain = [labels for labels, _ in moved], now["image model"]
                scores = agreement(said, plain, count, where=known_cells)
                differences.append((scores[1:] - scores[0]).numpy())
            else:
                warper.start(frame)
            before = now
    steady = np.array([tally.mvc8() for tally in tallies.values()])
    confusion = np.stack([tally.confusion for tally in tallies.values()])
    return Compared(confusion, np.stack(differences), steady[1:] - steady[0], warmup)


def _both(evidence: Evidence) -> tuple[Tensor, Tensor]:
    """Labels at the size of the frame, and on the grid."""
    height, width = evidence.logits.shape[2:]
    return predict_labels(evidence), predict_labels(replace(evidence, size=(height, width)))


def table(found: Sequence[Compared]) -> str:
    """By length, over all cases."""
    rows = [["memory", *HEADER[1:]]]
    for n, name in enumerate(NAMES):
        changes = [case.change(name) for case in found]
        rows.append(row_of(name, changes, [float(case.steady[n]) for case in found]))
    for share in SHARES:
        changes = [case.replayed(share) for case in found]
        rows.append([*row_of(f"replayed, {share:g} times the quantile", changes), ""])
    return markdown(rows)


def _job(job: tuple[Case, Path]) -> tuple[Case, Compared]:
    return job[0], compare(*job)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is missing, then print a table for each kind of video."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.never_hurts.lengths",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--out", type=Path, default=Path("runs/lengths"))
    parser.add_argument("--first", type=int, help="only so many cases of each kind")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(arguments)
    kinds = {"generated": scenes()[: options.first], "DAVIS": widths()[: options.first]}
    options.out.mkdir(parents=True, exist_ok=True)
    for name in ("unet", "dilated"):
        trained(name, options.out)
    jobs = [(case, options.out) for cases in kinds.values() for case in cases]
    found: dict[Case, Compared] = {}
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        for case, compared in pool.imap_unordered(_job, jobs):
            found[case] = compared
            print(f"{len(found)} of {len(jobs)} cases", file=sys.stderr, flush=True)
    for kind, cases in kinds.items():
        print(f"{kind}, {len(cases)} cases\n\n{table([found[case] for case in cases])}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
