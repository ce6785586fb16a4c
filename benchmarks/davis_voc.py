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
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.davis import DEFAULT_MANIFEST, Video, data_root, load_manifest, load_video
from benchmarks.espnetv2 import load_espnetv2
from ditta_adapt import AdaptationReport, AdaptConfig, HookedSegmenter, wrap
from ditta_adapt.metrics import VideoConsistency

METHODS = ("iss", "adapted", "adapted_no_addon")
PRESETS = {
    "default": AdaptConfig(),
    "unchecked": AdaptConfig(accept="always"),
    "memory": AdaptConfig(targets="none"),
    "attention": AdaptConfig(addon="residual"),
    "paper": AdaptConfig.paper(),
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


def build_segmenter(weights: Path) -> HookedSegmenter:
    """ESPNetv2 as a segmenter: its parts named, nothing else."""
    return HookedSegmenter(
        load_espnetv2(weights),
        decoder="decoder",
        features="input:decoder.classifier",
        logits=lambda output: output[1],
        size=INPUT_SIZE,
    )


def image_model(segmenter: HookedSegmenter) -> Callable[[np.ndarray], Tensor]:
    """The image model alone: one frame in, `(H, W)` labels out."""

    def label(frame: np.ndarray) -> Tensor:
        with torch.no_grad():
            images = segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
            logits = segmenter.decode(segmenter.encode(images)).logits
            resized = F.interpolate(logits, frame.shape[:2], mode="bilinear", align_corners=False)
            return resized.argmax(dim=1)[0]

    return label


def score(
    video: Video, start: int, method: str, warmup: float, label: Callable[[np.ndarray], Tensor]
) -> Row:
    """Label the frames from `start` on, in order, and score them."""
    classes = torch.tensor(video.classes)
    intersection = union = 0
    predictions: list[Tensor] = []
    seconds = 0.0
    for frame, mask in zip(video.frames[start:], video.masks[start:], strict=True):
        begin = time.perf_counter()
        prediction = label(frame)
        seconds += time.perf_counter() - begin
        foreground, truth = torch.isin(prediction, classes), torch.from_numpy(mask)
        intersection += int((foreground & truth).sum())
        union += int((foreground | truth).sum())
        predictions.append(prediction)
    consistency = VideoConsistency(8)
    consistency.add_video(predictions, video.masks[start:])
    return Row(
        video=video.name,
        method=method,
        warmup=warmup,
        iou=intersection / union if union else float("nan"),
        mvc8=consistency.value(),
        ms_per_frame=1000 * seconds / len(predictions),
    )


def run_video(
    video: Video, segmenter: HookedSegmenter, config: AdaptConfig, warmup: float
) -> tuple[list[Row], AdaptationReport | None]:
    """All methods on one video."""
    if warmup == 0:
        return [score(video, 0, "iss", 0, image_model(segmenter))], None
    # Integer arithmetic on the percentage, as the published protocol has it.
    start = max(len(video.frames) * round(100 * warmup) // 100, 1)
    rows = [score(video, start, "iss", warmup, image_model(segmenter))]
    model = wrap(segmenter, propagator="flow", config=config)
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


def show(rows: Sequence[Row]) -> None:
    """Print rows as a table."""
    for row in rows:
        print(
            f"{row.video:16s} {row.warmup:5.0%} {row.method:17s} IoU {row.iou:.4f}  "
            f"mVC8 {row.mvc8:.4f}  {row.ms_per_frame:6.1f} ms/frame",
            flush=True,
        )


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
    config = replace(PRESETS[options.preset], seed=options.seed)
    rows: list[Row] = []
    costs: list[dict[str, float]] = []
    for name, classes in load_manifest(options.manifest).items():
        video = load_video(root, name, classes, stride=options.stride)
        for warmup in options.warmup:
            new, report = run_video(video, segmenter, config, warmup)
            show(new)
            rows += new
            if report is not None:
                costs.append({k: v / report.num_frames for k, v in report.seconds.items()})
                print(f"{'':22s} {report}")
    print()
    show(mean_rows(rows))
    if costs:
        stages = dict.fromkeys(stage for cost in costs for stage in cost)
        per_frame = {s: np.mean([cost[s] for cost in costs if s in cost]) for s in stages}
        shown = ", ".join(f"{stage} {seconds:.3f} s" for stage, seconds in per_frame.items())
        print(f"adaptation, per warm-up frame: {shown}")
    if options.json is not None:
        options.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")


if __name__ == "__main__":
    main()
