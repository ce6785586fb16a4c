"""Does a domain of unlabelled videos teach a model something for videos it has not seen?

* `scenes`: the demo's SegFormer, trained on clean generated scenes, adapted to eight shifted videos
  (blur, exposure, colours, noise) and measured on eight others; three seeds of videos. mIoU of all
  frames after the first eight: of the image model, of what the domain taught, and of both adapted
  to the first eight frames of each video.
* `davis`: ESPNetv2 (PASCAL VOC) adapted to six of the eight DAVIS videos and measured on the other
  two, in rotation: foreground IoU of all frames, every second one.

    python -m benchmarks.domain scenes
    python -m benchmarks.domain davis
"""

import argparse
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.davis import data_root, davis_voc
from benchmarks.davis_voc import image_model, make_segmenter, score
from ditta_adapt import wrap
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.baselines import ImageModel
from ditta_adapt.config import DomainConfig
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.domain import adapt_to_domain
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.reporting.tables import plain

WARMUP, LENGTH, VIDEOS = 8, 40, 8
HELD_OUT = 0.34

Shifted = tuple[Sequence[np.ndarray], Sequence[np.ndarray]]


def shifted_video(seed: int) -> Shifted:
    """Frames and labels of a generated video of the target domain."""
    frames, labels = render_video(seed, LENGTH)
    return list(shift_frames(frames, seed=seed)), list(labels)


def miou(label: Callable[[np.ndarray], Tensor], video: Shifted) -> float:
    """Of the frames after the warm-up, in per cent."""
    measure = SegmentationScore(len(CLASS_NAMES))
    frames, labels = video
    for frame, truth in zip(frames[WARMUP:], labels[WARMUP:], strict=True):
        measure.update(label(frame), truth)
    return 100 * measure.miou()


def adapted(segmenter: Segmenter, video: Shifted) -> float:
    """Adapted to the warm-up of the video first."""
    model = wrap(segmenter)
    model.adapt(video[0][:WARMUP])
    return miou(model, video)


def scenes() -> None:
    """The generated domain."""
    source = SegformerSegmenter(load_demo_model())
    rows = []
    for seed in range(3):
        videos = [shifted_video(1000 * (seed + 1) + number) for number in range(2 * VIDEOS)]
        started = time.perf_counter()
        config = DomainConfig(held_out=HELD_OUT, seed=seed)
        result = adapt_to_domain(source, [frames for frames, _ in videos[:VIDEOS]], config=config)
        print(f"seed {seed}: {result.report}", flush=True)
        print(
            f"  gains by round {[round(float(np.mean(r.gains)), 4) for r in result.report.rounds]}"
        )
        for number, video in enumerate(videos[VIDEOS:]):
            found = [miou(ImageModel(model), video) for model in (source, result.segmenter)]
            found += [adapted(model, video) for model in (source, result.segmenter)]
            rows.append(found)
            shown = ", ".join(f"{value:.2f}" for value in found)
            print(f"  video {number}: {shown} ({time.perf_counter() - started:.0f} s)", flush=True)
    table = np.array(rows)
    gains = table - table[:, :1]
    lines = [["", "mIoU", "gain", "worst"]]
    for index, name in enumerate(("image model", "domain", "per video", "domain, per video")):
        own = gains[:, index]
        values = table[:, index].mean(), own.mean(), own.min()
        lines.append([name, *(f"{value:.2f}" for value in values)])
    print(plain(lines))


def davis() -> None:
    """Six videos teach, two are measured, in rotation."""
    videos, segmenter = davis_voc(data_root(), stride=2), make_segmenter()
    names, gains = videos.names[:8], []
    for first in range(0, len(names), 2):
        measured = names[first : first + 2]
        learned = [videos[videos.names.index(name)] for name in names if name not in measured]
        config = DomainConfig(held_out=HELD_OUT)
        result = adapt_to_domain(segmenter, [video.frames for video in learned], config=config)
        print(result.report, flush=True)
        print(
            f"  gains by round {[round(float(np.mean(r.gains)), 4) for r in result.report.rounds]}"
        )
        for name in measured:
            video = videos[videos.names.index(name)]
            models = image_model(segmenter), image_model(result.segmenter)
            before, after = (score(video, 0, "iss", 0, model).iou for model in models)
            gains.append(after - before)
            print(f"  {name}: {before:.4f} to {after:.4f}", flush=True)
    print(f"mean {np.mean(gains):+.4f}, worst {min(gains):+.4f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.domain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("part", choices=("scenes", "davis"))
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    scenes() if options.part == "scenes" else davis()


if __name__ == "__main__":
    main()
