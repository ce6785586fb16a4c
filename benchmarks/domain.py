"""Does a domain of unlabelled videos teach a model something for videos it has not seen?

* `scenes`: the demo's SegFormer, trained on clean generated scenes, adapted to eight shifted videos
  (blur, exposure, colours, noise) and measured on eight others; three seeds of videos. mIoU of all
  frames after the first eight. Rows: the image model; what the domain taught, without and with
  labelled clean scenes (the source), by each technique; and the first and some of these adapted to
  the first eight frames of each video.
* `davis`: ESPNetv2 (PASCAL VOC) adapted to six of the eight DAVIS videos and measured on the other
  two, in rotation: foreground IoU of all frames, every second one; clean, or corrupted throughout.

    python -m benchmarks.domain scenes --json scenes.json
    python -m benchmarks.domain davis
    python -m benchmarks.domain davis --corruption gaussian_noise:medium

Rows that the file has already are not measured again.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from benchmarks.davis import data_root, davis_voc
from benchmarks.davis_voc import image_model, make_segmenter, score
from ditta_adapt import wrap
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.baselines import ImageModel, RefinedLabels
from ditta_adapt.config import (
    ClassMix,
    Discriminator,
    DomainConfig,
    FeatureDistance,
    LowRank,
    PatchMask,
)
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.domain import DomainReport, adapt_to_domain
from ditta_adapt.io.files import write_files
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.reporting.tables import plain
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder

WARMUP, LENGTH, VIDEOS = 8, 40, 8
HELD_OUT = 0.34


@dataclass(frozen=True)
class Variant:
    """A way to learn a domain.

    Attributes:
        config: of it.
        source: labelled videos to learn from besides: clean ones, or, as no method could, those of
            the target itself.
        builder: of pseudo-labels.
        per_video: whether each video is adapted to afterwards, too.
    """

    config: DomainConfig = field(default_factory=DomainConfig)
    source: bool | Literal["target"] = False
    builder: TargetBuilder = build_targets
    per_video: bool = False


def _with(**options: object) -> DomainConfig:
    return DomainConfig(**options)  # type: ignore[arg-type]


VARIANTS: Mapping[str, Variant | None] = {
    "image model": None,
    "source-free": Variant(per_video=True),
    "source-free, norms": Variant(_with(encoder="norms")),
    "source-free, low rank": Variant(_with(encoder=LowRank())),
    "source-free, patches hidden": Variant(_with(mask=PatchMask())),
    "source": Variant(source=True, per_video=True),
    "source, mixed": Variant(_with(mix=ClassMix()), source=True),
    "source, mixed consistently": Variant(_with(mix=ClassMix(consistent=True)), source=True),
    "source, patches hidden": Variant(_with(mask=PatchMask()), source=True),
    "source, norms": Variant(_with(encoder="norms"), source=True),
    "source, low rank": Variant(_with(encoder=LowRank()), source=True),
    **{
        f"source, refined by {strategy}, {side}": Variant(
            source=True, builder=RefinedLabels(strategy, offset=offset)
        )
        for strategy, offset, side in (
            ("consistency", -1, "backward"),
            ("max_confidence", -1, "backward"),
            ("warp", -1, "backward"),
            ("warp", 1, "forward"),
        )
    },
    "source, mixed, patches hidden, norms": Variant(
        _with(mix=ClassMix(), mask=PatchMask(), encoder="norms"), source=True
    ),
    "source-free, two resolutions": Variant(_with(detail=True)),
    "source, two resolutions": Variant(_with(detail=True), source=True),
    "source, discriminator of frames": Variant(
        _with(discriminator=Discriminator(stacked=False)), source=True
    ),
    "source, discriminator of pairs": Variant(_with(discriminator=Discriminator()), source=True),
    "source, norms, feature distance": Variant(
        _with(encoder="norms", distance=FeatureDistance()), source=True
    ),
    "source, norms, rate warmed up": Variant(_with(encoder="norms", warmup_steps=64), source=True),
    "source, HRDA and MIC": Variant(
        _with(
            mix=ClassMix(),
            mask=PatchMask(),
            detail=True,
            encoder="norms",
            distance=FeatureDistance(),
            warmup_steps=64,
        ),
        source=True,
    ),
    "target labels (oracle)": Variant(source="target"),
    "target labels (oracle), norms": Variant(_with(encoder="norms"), source="target"),
}

OFFSETS: Mapping[str, Variant] = {
    f"source, refined by {strategy}, {offset:+d}": Variant(
        _with(clip=12), source=True, builder=RefinedLabels(strategy, offset=offset)
    )
    for offset in (-1, -3, -6, -10, 1, 3, 6, 10)
    for strategy in ("consistency", "max_confidence", "warp")
}
"""Refined by a frame so far away, in clips of twelve frames."""

EVERY: Mapping[str, Variant | None] = {**VARIANTS, "image model": None, **OFFSETS}


def shifted_video(seed: int) -> LabelledVideo:
    """A generated video of the target domain."""
    frames, labels = render_video(seed, LENGTH)
    return LabelledVideo(str(seed), list(shift_frames(frames, seed=seed)), list(labels))


def clean_video(seed: int) -> LabelledVideo:
    """A generated video of the source domain."""
    frames, labels = render_video(seed, LENGTH)
    return LabelledVideo(str(seed), list(frames), list(labels))


def miou(label: Callable[[np.ndarray], Tensor], video: LabelledVideo) -> float:
    """Of the frames after the warm-up, in per cent."""
    measure = SegmentationScore(len(CLASS_NAMES))
    for frame, truth in zip(video.frames[WARMUP:], video.labels[WARMUP:], strict=True):
        assert truth is not None
        measure.update(label(frame), truth)
    return 100 * measure.miou()


def adapted(segmenter: Segmenter, video: LabelledVideo) -> float:
    """Adapted to the warm-up of the video first."""
    model = wrap(segmenter)
    model.adapt(video.frames[:WARMUP])
    return miou(model, video)


def told(report: DomainReport) -> dict[str, object]:
    """What is kept of a report."""
    rounds = report.rounds
    return {
        "kept": report.kept,
        "seconds": report.seconds,
        "gains": [float(np.mean(each.gains)) for each in rounds],
        "teacher_miou": [each.teacher_miou for each in rounds],
        "target_miou": [each.target_miou for each in rounds],
    }


def scenes(path: Path | None, seeds: Sequence[int], variants: Sequence[str]) -> None:
    """The generated domain."""
    rows: list[dict[str, object]] = []
    if path and path.exists():
        rows = json.loads(path.read_text("utf-8"))
    done = {(row["name"], row["seed"]) for row in rows}
    model = SegformerSegmenter(load_demo_model())
    for seed in seeds:
        videos = [shifted_video(1000 * (seed + 1) + number) for number in range(2 * VIDEOS)]
        clean = [clean_video(1000 * (seed + 1) + 500 + number) for number in range(VIDEOS)]
        for name in variants:
            if (name, seed) in done:
                continue
            own, row = EVERY[name], {"name": name, "seed": seed}
            segmenter: Segmenter = model
            if own is not None:
                config = DomainConfig.from_dict(
                    own.config.to_dict() | {"held_out": HELD_OUT, "seed": seed}
                )
                result = adapt_to_domain(
                    model,
                    videos[:VIDEOS],
                    source={False: None, True: clean, "target": videos[:VIDEOS]}[own.source],
                    config=config,
                    target_builder=own.builder,
                )
                segmenter = result.segmenter
                row |= told(result.report)
            row["miou"] = [miou(ImageModel(segmenter), video) for video in videos[VIDEOS:]]
            if own is None or own.per_video:
                row["per_video"] = [adapted(segmenter, video) for video in videos[VIDEOS:]]
            rows.append(row)
            print(row, flush=True)
            if path:
                write_files({path: json.dumps(rows, indent=1)})
    print(table(rows))


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """A line a variant, over all videos of all seeds; gains over the image model."""

    def values(name: str, key: str) -> np.ndarray:
        found = [(row["seed"], row[key]) for row in rows if row["name"] == name and key in row]
        return np.array([value for _, each in sorted(found) for value in each])  # type: ignore[misc,union-attr]

    base = values("image model", "miou")
    lines = [["", "mIoU", "gain", "worst", "then each video", "gain", "worst"]]
    for name in dict.fromkeys(str(row["name"]) for row in rows):
        line = [name]
        for key in ("miou", "per_video"):
            found = values(name, key)
            gains = found - base[: len(found)]
            line += (
                [f"{found.mean():.2f}", f"{gains.mean():+.2f}", f"{gains.min():+.2f}"]
                if len(found)
                else ["", "", ""]
            )
        lines.append(line)
    return plain(lines)


def davis(corruption: str) -> None:
    """Six videos teach, two are measured, in rotation."""
    data, segmenter = davis_voc(data_root(), stride=2), make_segmenter()
    names, gains = data.names[:8], []
    videos = {name: data[data.names.index(name)] for name in names}
    if corruption:
        spoil = parse_corruption(corruption)
        videos = {
            name: LabelledVideo(
                name, list(spoil.apply(list(video.frames))), video.labels, video.relabel
            )
            for name, video in videos.items()
        }
    for first in range(0, len(names), 2):
        measured = names[first : first + 2]
        learned = [videos[name].frames for name in names if name not in measured]
        config = DomainConfig(held_out=HELD_OUT)
        started = time.perf_counter()
        result = adapt_to_domain(segmenter, learned, config=config)
        print(result.report, flush=True)
        rounds = [round(float(np.mean(each.gains)), 4) for each in result.report.rounds]
        print(f"  gains by round {rounds}, {time.perf_counter() - started:.0f} s")
        for name in measured:
            models = image_model(segmenter), image_model(result.segmenter)
            before, after = (score(videos[name], 0, "iss", 0, model).iou for model in models)
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
    parser.add_argument("--json", type=Path, help="of scenes: file of rows, which is gone on with")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of scenes")
    parser.add_argument("--variants", nargs="+", choices=EVERY, default=[*VARIANTS])
    parser.add_argument("--offsets", action="store_true", help="refined by frames farther away")
    parser.add_argument("--corruption", default="", help="of davis, such as contrast:high")
    options = parser.parse_args(arguments)
    torch.manual_seed(0)
    if options.part == "scenes":
        scenes(options.json, options.seeds, [*OFFSETS] if options.offsets else options.variants)
    else:
        davis(options.corruption)


if __name__ == "__main__":
    main()
