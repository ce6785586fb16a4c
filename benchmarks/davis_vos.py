"""How well propagators follow an object through whole videos, from its mask in the first frame.

Eight videos of DAVIS 2016, all frames, the first mask given; J & F as its evaluator has it, the
mean of region similarity and contour accuracy, first and last frame left out. Rows:

* `copy`: the first mask, left where it is;
* `flow`: moved along by optical flow;
* `sam2-small`: the library's own small SAM2, shown the mask;
* `matching`: features of the ESPNetv2 that labels DAVIS-VOC, compared with those of frames before;
* `matching+mask_cycle`, `matching+entropy`, `sam2-small+mask_cycle`, `sam2-small+entropy`: these,
  trained on each video by that objective for as long as held-out cycles get better; with `:20` or
  another number, for so many steps.

Corruptions of DAVIS-C spoil all frames; the mask stays that of the clean first frame.

    python -m benchmarks.davis_vos --json davis_vos.json
    python -m benchmarks.davis_vos --corruptions gaussian_noise contrast motion_blur --videos 4

Rows that the file has already are not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.davis import data_root, davis_voc
from benchmarks.davis_voc import make_segmenter
from ditta_adapt import Prompt, Propagator
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.adapters.sam2_transformers import SMALL, Sam2TransformersPropagator
from ditta_adapt.corruptions import corruption_names, parse_corruption
from ditta_adapt.io.files import write_files
from ditta_adapt.metrics.j_and_f import JAndF
from ditta_adapt.reporting.tables import plain
from ditta_adapt.teachers.matching import MatchingPropagator, SegmenterFeatures
from ditta_adapt.teachers.test_time import PropagatorReport, adapt_propagator

Row = dict[str, str | float]
CLEAN = "clean"


def matching() -> MatchingPropagator:
    """Matching, in the features of the network of the DAVIS-VOC benchmark."""
    return MatchingPropagator(SegmenterFeatures(make_segmenter()))


def trained(
    name: str, training: str, frames: Sequence[np.ndarray], first: np.ndarray
) -> tuple[Propagator, PropagatorReport]:
    """A teacher, trained on a video by an objective, perhaps with a number of steps."""
    objective, _, steps = training.partition(":")
    teacher = TEACHERS[name]()
    assert teacher is not None
    return adapt_propagator(
        teacher,
        frames,
        torch.from_numpy(first)[None],
        objective=objective,  # type: ignore[arg-type]
        iterations=int(steps) if steps else None,
    )


TEACHERS: Mapping[str, Callable[[], Propagator | None]] = {
    "copy": lambda: None,
    "flow": OpticalFlowPropagator,
    "sam2-small": lambda: Sam2TransformersPropagator(checkpoint=SMALL, mask_prompts=True),
    "matching": matching,
}

TRAINED = tuple(
    f"{name}+{objective}"
    for name in ("matching", "sam2-small")
    for objective in ("mask_cycle", "entropy")
)


def follow(
    teacher: Propagator | None, frames: Sequence[np.ndarray], first: np.ndarray
) -> list[Tensor]:
    """Masks `(H, W)` int64 of all frames, 1 on the object."""
    region = torch.from_numpy(first)
    masks = [region] * len(frames)
    if teacher is not None:
        with teacher.open(frames) as session:
            session.prompt(0, [Prompt.on(region, 1)])
            masks[1:] = [session.propagate(t - 1, t).masks[0] for t in range(1, len(frames))]
    return [mask.long() for mask in masks]


def measure(teacher: str, video: str, corruption: str) -> Row:
    """One row: the scores of a propagator on a video."""
    videos = davis_voc(data_root())
    shown = videos[videos.names.index(video)]
    frames = list(shown.frames)
    if corruption != CLEAN:
        frames = list(parse_corruption(f"{corruption}:high").apply(frames))
    truth = [torch.from_numpy(np.equal(labels, 1)).long() for labels in shown.labels]
    first, steps = truth[0].bool().numpy(), 0
    started = time.perf_counter()
    name, _, training = teacher.partition("+")
    if training:
        propagator, report = trained(name, training, frames, first)
        steps = report.iterations
    else:
        propagator = TEACHERS[name]()
    masks = follow(propagator, frames, first)
    seconds = time.perf_counter() - started
    score = JAndF()
    score.add_video(masks, truth)
    j, f = score.j().mean, score.f().mean
    return {
        "teacher": teacher,
        "video": video,
        "frames": corruption,
        "J": j,
        "F": f,
        "J&F": (j + f) / 2,
        "seconds": seconds,
        "steps": steps,
    }


def table(rows: Sequence[Row]) -> str:
    """A line a propagator: the mean, its parts, and J & F of every video."""
    videos = list(dict.fromkeys(row["video"] for row in rows))
    lines = [["frames", "propagator", "J&F", "J", "F", "worst", "s a video", *map(str, videos)]]
    for frames, teacher in dict.fromkeys((row["frames"], row["teacher"]) for row in rows):
        own = [row for row in rows if (row["frames"], row["teacher"]) == (frames, teacher)]
        means = [np.mean([float(row[key]) for row in own]) for key in ("J&F", "J", "F")]
        each = {row["video"]: float(row["J&F"]) for row in own}
        lines.append(
            [
                str(frames),
                str(teacher),
                *(f"{mean:.3f}" for mean in means),
                f"{min(each.values()):.3f}",
                f"{np.mean([float(row['seconds']) for row in own]):.1f}",
                *(f"{each[video]:.3f}" if video in each else "" for video in videos),
            ]
        )
    return plain(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.davis_vos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--teachers", nargs="+", default=[*TEACHERS, *TRAINED])
    parser.add_argument(
        "--corruptions", nargs="*", choices=corruption_names(), default=[], help="at high strength"
    )
    parser.add_argument("--videos", type=int, default=8, help="the first so many")
    parser.add_argument("--json", type=Path, help="file of rows, which is gone on with")
    options = parser.parse_args(arguments)
    rows: list[Row] = []
    if options.json and options.json.exists():
        rows = json.loads(options.json.read_text("utf-8"))
    done = {(row["teacher"], row["video"], row["frames"]) for row in rows}
    for frames in options.corruptions or [CLEAN]:
        for teacher in options.teachers:
            for video in davis_voc(data_root()).names[: options.videos]:
                if (teacher, video, frames) in done:
                    continue
                rows.append(measure(teacher, video, frames))
                print(rows[-1], flush=True)
                if options.json:
                    write_files({options.json: json.dumps(rows, indent=1)})
    print(table(rows))


if __name__ == "__main__":
    main()
