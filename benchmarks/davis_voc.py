"""Does adaptation help a real model on real videos? ESPNetv2 (PASCAL VOC) on DAVIS.

Per video and warm-up: foreground IoU (intersections over unions, summed over frames; foreground =
the classes of the annotated object) and mVC8, on the frames after the warm-up, of

* `iss`: the image model, frame by frame;
* `adapted`: the adapted model as it streams, with its temporal add-on;
* `adapted_no_addon`: the adapted decoder alone.

With `--warmup 0` only the image model runs, on all frames.

    python -m benchmarks.davis_voc --stride 3 --warmup 0
    python -m benchmarks.davis_voc --warmup 0.1 0.5
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.davis import DEFAULT_MANIFEST, data_root, davis_voc
from benchmarks.espnetv2 import load_espnetv2
from ditta_adapt import (
    AdaptationReport,
    AdaptConfig,
    AttentionAddon,
    HookedSegmenter,
    PropagatorTraining,
    wrap,
)
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.metrics import VideoConsistency
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.reporting.tables import plain

METHODS = ("iss", "adapted", "adapted_no_addon")
PRESETS = {
    "default": AdaptConfig(),
    "no-look": AdaptConfig(look=None),
    "unchecked": AdaptConfig(safety=None),
    "memory": AdaptConfig(targets=None),
    "attention": AdaptConfig(memory=AttentionAddon()),
    "paper": AdaptConfig.paper(),
    "as-printed": AdaptConfig.as_printed(),
}
INPUT_SIZE = (256, 448)
WEIGHTS = Path("weights") / "espnetv2_s_2.0_pascal_384x384.pth"


@dataclass(frozen=True)
class Row:
    """One line of the result: a method on the frames of a video after a warm-up."""

    video: str
    method: str
    warmup: float
    iou: float
    mvc8: float
    ms_per_frame: float


VOC_CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat"),
    *("chair", "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant"),
    *("sheep", "sofa", "train", "tv monitor"),
)


def build_segmenter(weights: Path) -> HookedSegmenter:
    """ESPNetv2 as a segmenter: its parts named, nothing else."""
    return HookedSegmenter(
        load_espnetv2(weights),
        decoder="decoder",
        features="input:decoder.classifier",
        logits=lambda output: output[1],
        size=INPUT_SIZE,
    )


def make_segmenter() -> HookedSegmenter:
    """The same with the weights at hand and the names of its classes, for `ditta-adapt run`."""
    segmenter = build_segmenter(data_root() / WEIGHTS)
    segmenter.model.class_names = VOC_CLASSES
    return segmenter


def image_model(segmenter: HookedSegmenter) -> Callable[[np.ndarray], Tensor]:
    """The image model alone: one frame in, `(H, W)` labels out."""

    def label(frame: np.ndarray) -> Tensor:
        return frame_logits(segmenter, frame_to_tensor(frame)).max(dim=1).indices[0]

    return label


def score(
    video: LabelledVideo,
    start: int,
    method: str,
    warmup: float,
    label: Callable[[np.ndarray], Tensor],
) -> Row:
    """Label the frames from `start` on, in order, and score them."""
    table = torch.from_numpy(video.relabel)
    consistency = VideoConsistency(8)
    intersection = union = count = 0
    seconds = 0.0
    for frame, labels in zip(video.frames[start:], video.labels[start:], strict=True):
        begin = time.perf_counter()
        prediction = label(frame)
        seconds += time.perf_counter() - begin
        foreground, truth = table[prediction] == 1, torch.from_numpy(labels) == 1
        intersection += int((foreground & truth).sum())
        union += int((foreground | truth).sum())
        consistency.update(prediction, labels)
        count += 1
    consistency.end_video()
    return Row(
        video=video.name,
        method=method,
        warmup=warmup,
        iou=intersection / union if union else float("nan"),
        mvc8=consistency.value(),
        ms_per_frame=1000 * seconds / count,
    )


def run_video(
    video: LabelledVideo,
    segmenter: HookedSegmenter,
    config: AdaptConfig,
    warmup: float,
    propagator: str = "flow",
) -> tuple[list[Row], AdaptationReport | None]:
    """All methods on one video."""
    if warmup == 0:
        return [score(video, 0, "iss", 0, image_model(segmenter))], None
    # Integer arithmetic on the percentage, as the published protocol has it.
    start = max(len(video.frames) * round(100 * warmup) // 100, 1)
    rows = [score(video, start, "iss", warmup, image_model(segmenter))]
    model = wrap(segmenter, propagator=propagator, config=config)
    report = model.adapt(video.frames[:start])
    rows.append(score(video, start, "adapted", warmup, model))
    model.clear_memory()
    rows.append(
        score(
            video,
            start,
            "adapted_no_addon",
            warmup,
            lambda frame: model.predict(frame, fuse=False).labels,
        )
    )
    return rows, report


def mean_rows(rows: Sequence[Row]) -> list[Row]:
    """The mean over videos, per warm-up and method, undefined values left out."""
    means = []
    for warmup in dict.fromkeys(row.warmup for row in rows):
        for method in METHODS:
            chosen = [row for row in rows if row.warmup == warmup and row.method == method]
            if chosen:
                values = []
                for key in ("iou", "mvc8", "ms_per_frame"):
                    known = [v for row in chosen if not np.isnan(v := getattr(row, key))]
                    values.append(float(np.mean(known)) if known else float("nan"))
                means.append(Row("mean", method, warmup, *values))
    return means


def table(rows: Sequence[Row]) -> str:
    """Rows as text, undefined values as `nan`."""
    header = ["video", "warm-up", "method", "IoU", "mVC8", "ms a frame"]
    cells = [
        [
            row.video,
            f"{row.warmup:.0%}",
            row.method,
            f"{row.iou:.4f}",
            f"{row.mvc8:.4f}",
            f"{row.ms_per_frame:.1f}",
        ]
        for row in rows
    ]
    return plain([header, *cells])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.davis_voc",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--root", type=Path, help="folder with davis/ and weights/, or DAVIS itself"
    )
    parser.add_argument("--manifest", type=Path, default=DEFAULT_MANIFEST)
    parser.add_argument("--weights", type=Path, help="ESPNetv2 state dict (default: from the data)")
    parser.add_argument("--preset", choices=PRESETS, default="default")
    parser.add_argument("--propagator", default="flow", help="a name that wrap takes")
    parser.add_argument("--adapt-propagator", action="store_true", help="by its mask cycle, first")
    parser.add_argument("--warmup", type=float, nargs="+", default=[0.1, 0.5])
    parser.add_argument("--stride", type=int, default=1, help="take every N-th frame")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the rows here")
    options = parser.parse_args(arguments)
    if not all(0 <= warmup < 1 for warmup in options.warmup):
        parser.error("--warmup takes shares of a video in [0, 1), such as 0.1 0.5")

    root = options.root or data_root()
    beside = root / WEIGHTS
    weights = options.weights or (beside if beside.is_file() else data_root() / WEIGHTS)
    segmenter = build_segmenter(weights)
    config = replace(
        PRESETS[options.preset],
        seed=options.seed,
        propagator_training=PropagatorTraining() if options.adapt_propagator else None,
    )
    rows: list[Row] = []
    costs: list[dict[str, float]] = []
    for video in davis_voc(root, manifest=options.manifest, stride=options.stride):
        for warmup in options.warmup:
            new, report = run_video(video, segmenter, config, warmup, options.propagator)
            rows += new
            shown = "".join(f", {row.method} {row.iou:.4f}" for row in new)
            print(f"{video.name}, {warmup:.0%}{shown}", file=sys.stderr, flush=True)
            if report is not None:
                costs.append({k: v / report.num_frames for k, v in report.seconds.items()})
                print(f"  {report}", file=sys.stderr)
    print(table([*rows, *mean_rows(rows)]))
    if costs:
        stages = dict.fromkeys(stage for cost in costs for stage in cost)
        per_frame = {s: np.mean([cost[s] for cost in costs if s in cost]) for s in stages}
        shown = ", ".join(f"{stage} {seconds:.3f} s" for stage, seconds in per_frame.items())
        print(f"adaptation, per warm-up frame: {shown}")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
