"""The generated domain: eight shifted videos teach, eight others are measured."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor

from benchmarks.domain.variants import EVERY, HELD_OUT, VotesAlone
from ditta_adapt import wrap
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.baselines import ImageModel
from ditta_adapt.config import DomainConfig
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.domain import DomainReport, adapt_to_domain
from ditta_adapt.io.files import write_files
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.reporting.tables import plain

WARMUP, LENGTH, VIDEOS = 8, 40, 8


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


def scenes(
    path: Path | None, seeds: Sequence[int], variants: Sequence[str], *, looks: bool = True
) -> None:
    """The generated domain; without `looks` votes at the usual size alone teach."""
    rows: list[dict[str, object]] = []
    if path and path.exists():
        rows = json.loads(path.read_text("utf-8"))
    done = {(row["name"], row["seed"]) for row in rows}
    model = SegformerSegmenter(load_demo_model())
    for seed in seeds:
        videos = [shifted_video(1000 * (seed + 1) + number) for number in range(2 * VIDEOS)]
        clean = [clean_video(1000 * (seed + 1) + 500 + number) for number in range(VIDEOS)]
        # Gains are over the image model, whatever is asked for.
        for variant in dict.fromkeys(("image model", *variants)):
            own = EVERY[variant]
            name = variant if looks or own is None else f"{variant}, votes alone"
            if (name, seed) in done:
                continue
            row: dict[str, object] = {"name": name, "seed": seed}
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
                    target_builder=own.builder if looks else VotesAlone(own.builder),
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
