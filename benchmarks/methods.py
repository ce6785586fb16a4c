"""Every method on the same videos: the real ones of DAVIS-VOC, or the demo's generated ones.

`davis-voc` is ESPNetv2 (PASCAL VOC) on the eight videos of `davis_voc.toml`; the score is the IoU
of the annotated object, video by video, and its change against the image model on the same frames.
`demo` is the shipped SegFormer on generated, shifted street scenes; the score is mIoU.

    python -m benchmarks.methods davis-voc --out runs/davis-voc --warmup 0.1 0.5
    python -m benchmarks.methods demo --out runs/demo --warmup 0.1

Options after these are those of `ditta-adapt eval`; a run that was stopped goes on.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.davis import data_root
from benchmarks.davis_voc import WEIGHTS, build_segmenter
from ditta_adapt import HookedSegmenter
from ditta_adapt.cli import main as command_line
from ditta_adapt.evaluation import VideoResult, compare, pool
from ditta_adapt.evaluation.comparison import video_miou
from ditta_adapt.evaluation.evaluate import RESULTS
from ditta_adapt.evaluation.result_file import read_results
from ditta_adapt.reporting.tables import markdown

# All but those that need a classifier trained on labelled videos, and `ditta-paper-none`, which is
# the image model.
METHODS = (
    *("image-model", "tent", "tent-hard", "cotta", "auxadapt"),
    *("consistency", "max-confidence", "warp-forward", "warp-backward", "accel"),
    *("zero-shot", "refiner", "ditta", "ditta-no-addon", "ditta-attention"),
    *("ditta-memory", "ditta-unchecked"),
    *(f"ditta-paper-{parts}" for parts in ("A", "B", "C", "AB", "AC", "BC")),
    *("ditta-paper", "oracle", "true-labels"),
)


def espnetv2() -> HookedSegmenter:
    """The real ESPNetv2 of the shared data."""
    return build_segmenter(data_root() / WEIGHTS)


def object_iou(result: VideoResult) -> float:
    """IoU of the last class, which is the object of DAVIS."""
    counts = result.confusion
    if not counts.numel():
        return float("nan")
    hit = int(counts[-1, -1])
    union = int(counts[-1].sum() + counts[:, -1].sum()) - hit
    return hit / union if union else float("nan")


def consistency(result: VideoResult) -> float:
    """mVC8 of one video."""
    windows = result.consistency.get(8, [])
    return sum(windows) / len(windows) if windows else float("nan")


def by_video(results: Sequence[VideoResult], score: str) -> str:
    """One line a method and condition: its change against the image model, video by video."""
    measure = object_iou if score == "IoU" else video_miou
    scores: dict[tuple[str, str, str], dict[str, float]] = {}
    for result in results:
        case = result.case
        row = scores.setdefault((case.method, case.corruption, case.warmup), {})
        row[case.video] = float("nan") if result.error else measure(result)
    videos = list(dict.fromkeys(result.case.video for result in results))
    lines = [[f"change of {score}", "warm-up", *videos]]
    for (method, corruption, warmup), row in scores.items():
        base = scores.get(("image-model", corruption, warmup), {})
        name = method + (f", {corruption}" if corruption else "")
        changes = [row.get(v, float("nan")) - base.get(v, float("nan")) for v in videos]
        lines.append([name, warmup, *(f"{change:+.3f}" for change in changes)])
    return markdown(lines)


def summary(results: Sequence[VideoResult], score: str) -> str:
    """One line a method and condition: score, change, worst video, steadiness, cost."""
    measure = object_iou if score == "IoU" else video_miou
    rows = {(r.method, r.warmup, r.corruption): r for r in pool(results)}
    head = [f"method, {score}", "warm-up", "mean", "change", "worst", "mVC8 change"]
    lines = [[*head, "FPS", "adapt, s"]]
    steadier = {
        (item.method, item.warmup, item.corruption): item.change
        for item in compare(results, consistency)
    }
    for item in compare(results, measure):
        row = rows[item.method, item.warmup, item.corruption]
        lines.append(
            [
                item.method + (f", {item.corruption}" if item.corruption else ""),
                item.warmup,
                f"{item.mean:.3f}",
                f"{item.change:+.3f}",
                f"{item.worst:+.3f}",
                f"{steadier.get((item.method, item.warmup, item.corruption), float('nan')):+.3f}",
                f"{row.fps:.1f}",
                f"{row.adapt_seconds:.1f}",
            ]
        )
    return markdown(lines)


def main(arguments: Sequence[str]) -> int:
    """Run the command, then print the summary."""
    if not arguments or arguments[0] not in ("davis-voc", "demo"):
        print(__doc__, file=sys.stderr)
        return 2
    name, *rest = arguments
    if "--out" not in rest:
        print("benchmarks.methods: --out is missing.", file=sys.stderr)
        return 2
    if name == "demo":
        fixed = ["--dataset", "demo", "--root", ".", "--model", "demo"]
    else:
        fixed = ["--dataset", "benchmarks.davis:davis_voc", "--root", str(data_root())]
        fixed += ["--model", "benchmarks.methods:espnetv2"]
    chosen = [] if "--methods" in rest else ["--methods", *METHODS]
    status = command_line(["eval", *fixed, *chosen, *rest])
    path = Path(rest[rest.index("--out") + 1]) / RESULTS
    if not path.is_file():
        return status
    results = read_results(path)
    score = "mIoU" if name == "demo" else "IoU"
    print(summary(results, score) + "\n" + by_video(results, score))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
