"""`ditta-adapt demo`: a flickering image model before and after, in pictures and numbers."""

import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ditta_adapt.baselines import ImageModel
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, PALETTE, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.errors import InputError
from ditta_adapt.io.files import check_output_folder, make_folder, write_files
from ditta_adapt.io.optional import require
from ditta_adapt.io.video import read_timed_video, write_video
from ditta_adapt.metrics import SegmentationScore, VideoConsistency
from ditta_adapt.report import AdaptationReport
from ditta_adapt.reporting.pictures import overlay, side_by_side
from ditta_adapt.reporting.tables import plain
from ditta_adapt.teachers.registry import check_propagator, find_propagator
from ditta_adapt.video_segmenter import VideoSegmenter
from ditta_adapt.wrap import wrap

NUM_FRAMES = 60
WARMUP = 12
SEED = 3
PROPAGATORS = ("flow", "sam2-small")
# A user's clip: enough to see the effect within a minute or two on two cores.
_CLIP_FRAMES, _CLIP_SIDE = 96, 640


@dataclass(frozen=True)
class Clip:
    """A video; its true labels where they are known; when its frames are shown, if it says so."""

    frames: Sequence[np.ndarray]
    truth: Sequence[np.ndarray] | None
    times: Sequence[Fraction] | None


def run_demo(
    output: Path, video: Path | None = None, names: Sequence[str] = PROPAGATORS
) -> dict[str, Any]:
    """Adapt the shipped SegFormer to a video with each propagator, and compare it with itself.

    Args:
        output: folder for `before-after.mp4`, `strip.png` and `report.json`; made if missing.
        video: a video file, of which the first frames are taken that can be decoded; the pictures
            play at its own times. By default a generated street scene with noise, motion blur and
            exposure drift, which the model was not trained on.
        names: of propagators.

    Returns:
        What `report.json` holds.

    Raises:
        InputError: the video cannot be read, or has fewer frames than the warm-up and two more;
            no propagator has such a name; or the output folder cannot be written.
        MissingDependencyError: an extra is not installed.
    """
    for name in names:
        check_propagator(name)
    check_output_folder(output)
    propagators = {name: find_propagator(name) for name in names}
    clip = _generated_clip() if video is None else _read_clip(video)
    make_folder(output)
    model = load_demo_model()
    before, before_ms = _label(ImageModel(model), clip.frames[WARMUP:])
    truth = None if clip.truth is None else clip.truth[WARMUP:]
    labels = {"image model": before}
    table = {"image model": _scores(before, truth) | {"ms a frame": before_ms}}
    adaptations: dict[str, AdaptationReport] = {}
    for name, propagator in propagators.items():
        print(f"{name}: adapting to the first {WARMUP} of {len(clip.frames)} frames", flush=True)
        video_model = wrap(model, propagator=propagator)
        adaptations[name] = video_model.adapt(clip.frames[:WARMUP])
        print(f"{adaptations[name]}")
        listener = _Listener(video_model)
        after, after_ms = _label(listener, clip.frames[WARMUP:])
        shown = ", ".join(f"{who} {count}" for who, count in listener.speakers.most_common())
        print(f"frames, by who spoke: {shown}\n")
        labels[f"adapted, {name}"] = after
        table[f"adapted, {name}"] = _scores(after, truth) | {"ms a frame": after_ms}
    report = _report(table, adaptations, clip, "generated" if video is None else video.name)
    write_files({output / "report.json": json.dumps(report, indent=2) + "\n"})
    _write_pictures(output, clip, labels)
    names = list(table["image model"])
    rows = [[method, *(f"{values[n]:.2f}" for n in names)] for method, values in table.items()]
    print(plain([["", *names], *rows]) + "\n")
    print(f"wrote before-after.mp4, strip.png and report.json to {output}/")
    return report


class _Listener:
    """A video model, and how often each candidate spoke."""

    def __init__(self, model: VideoSegmenter) -> None:
        self.speakers: Counter[str] = Counter()
        self._model = model

    def __call__(self, frame: np.ndarray) -> torch.Tensor:
        labels = self._model(frame)
        state = self._model.state
        assert state is not None
        assert state.log is not None
        self.speakers[state.log.speaker] += 1
        return labels


def _generated_clip() -> Clip:
    frames, labels = render_video(SEED, NUM_FRAMES)
    return Clip(list(shift_frames(frames, seed=SEED)), list(labels), None)


def _read_clip(path: Path) -> Clip:
    timed = list(islice(read_timed_video(path, max_side=_CLIP_SIDE), _CLIP_FRAMES))
    times, frames = [time for time, _ in timed], [frame for _, frame in timed]
    if len(frames) < WARMUP + 2:
        raise InputError(
            f"{path} has {len(frames)} frames; the demo adapts to {WARMUP} and needs at least two "
            "more to compare."
        )
    return Clip(frames, None, times)


def _label(
    model: Callable[[np.ndarray], torch.Tensor], frames: Sequence[np.ndarray]
) -> tuple[list[np.ndarray], float]:
    """Labels of all frames, and milliseconds a frame."""
    start = time.perf_counter()
    labels = [model(frame).numpy() for frame in frames]
    return labels, 1000 * (time.perf_counter() - start) / len(frames)


def _scores(labels: Sequence[np.ndarray], truth: Sequence[np.ndarray] | None) -> dict[str, float]:
    """Accuracy and consistency; without true labels, how steady the labels are everywhere."""
    if truth is None:
        changed = [np.mean(a != b) for a, b in pairwise(labels)]
        return {"pixels changing, %": 100 * float(np.mean(changed))}
    score, steady = SegmentationScore(len(CLASS_NAMES)), [VideoConsistency(n) for n in (8, 16)]
    for predicted, true in zip(labels, truth, strict=True):
        score.update(predicted, true)
        for measure in steady:
            measure.update(predicted, true)
    for measure in steady:
        measure.end_video()
    values = {"mIoU": score.miou(), "wIoU": score.wiou()}
    values |= {f"mVC{measure.window}": measure.value() for measure in steady}
    return {name: 100 * value for name, value in values.items()}


def _write_pictures(output: Path, clip: Clip, labels: Mapping[str, Sequence[np.ndarray]]) -> None:
    def panel(index: int) -> np.ndarray:
        frame = clip.frames[WARMUP + index]
        panels = [("frame", frame)]
        if clip.truth is not None:
            panels.append(("truth", overlay(frame, clip.truth[WARMUP + index], PALETTE)))
        for name, maps in labels.items():
            panels.append((name, overlay(frame, maps[index], PALETTE)))
        return side_by_side(panels)

    count = len(clip.frames) - WARMUP
    times = None if clip.times is None else clip.times[WARMUP:]
    write_video(output / "before-after.mp4", map(panel, range(count)), times=times)
    rows = np.linspace(0, count - 1, 5).round().astype(int)
    strip = np.concatenate([panel(int(row)) for row in rows])
    picture = io.BytesIO()
    require("PIL.Image").fromarray(strip).save(picture, format="png")
    write_files({output / "strip.png": picture.getvalue()})


def _report(
    table: dict[str, dict[str, float]],
    adaptations: Mapping[str, AdaptationReport],
    clip: Clip,
    source: str,
) -> dict[str, Any]:
    height, width = clip.frames[0].shape[:2]
    return {
        "video": source,
        "frames": len(clip.frames),
        "size": [height, width],
        "warmup_frames": WARMUP,
        "results": table,
        "adaptations": {name: report.to_dict() for name, report in adaptations.items()},
    }
