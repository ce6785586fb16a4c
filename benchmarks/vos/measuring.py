"""One row: how well a propagator follows the objects of a video."""

import re
import time
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.vos.propagators import Course, prepared
from ditta_adapt import Frame
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets.colours import distinct_colours
from ditta_adapt.datasets.object_video import ObjectVideo
from ditta_adapt.io.files import write_files
from ditta_adapt.metrics import JAndF
from ditta_adapt.running.label_files import encode_labels
from ditta_adapt.teachers.following import follow_objects

Row = dict[str, Any]
CLEAN = "clean"


def measure(
    name: str,
    video: ObjectVideo,
    corruption: str,
    course: Course,
    *,
    seen: frozenset[str] | None = None,
    save: Path | None = None,
) -> Row:
    """Follow the objects of a video from their first masks, and score them.

    Args:
        name: of a propagator, see `propagators`.
        video: with masks of some frames.
        corruption: of the frames, `"NAME:STRENGTH"` or `"clean"`; masks stay those of the clean
            video.
        course: of the training, if the name has one.
        seen: categories of the training split, see `ObjectVideos`.
        save: folder for indexed PNG files, `CONDITION/VIDEO/FRAME.png`.
    """
    frames: Sequence[Frame] = list(video.frames)
    if corruption != CLEAN:
        frames = list(parse_corruption(corruption).apply(frames))
    begins = {
        t: {number: torch.from_numpy(mask) for number, mask in new.items()}
        for t, new in video.begins().items()
    }
    started = time.perf_counter()
    propagator, report = prepared(name, frames, begins.get(0, {}), course)
    found = list(follow_objects(propagator, frames, begins))
    seconds = time.perf_counter() - started
    if save is not None:
        asked = (name, corruption, *(astuple(course) if "+" in name else ()))
        condition = "-".join(re.sub(r"[^\w.+-]+", "_", str(part)) for part in asked)
        _save(found, video, save / condition / video.name)
    return {
        "teacher": name,
        "video": video.name,
        "frames": corruption,
        "length": course.length,
        "jump": course.jump,
        "seed": course.seed,
        "objects": _scores(found, video, seen),
        "seconds": seconds,
        "steps": report.iterations if report else 0,
        "why": report.reason if report else "",
    }


def _scores(
    found: Sequence[Tensor], video: ObjectVideo, seen: frozenset[str] | None
) -> list[dict[str, Any]]:
    """Mean J and F of every object; none where too few frames are annotated to score any."""
    annotated = [
        (labels, torch.from_numpy(truth).long())
        for labels, truth in ((found[t], video.masks[t]) for t in range(len(found)))
        if truth is not None
    ]
    score = JAndF()
    ids = score.add_video(
        (labels for labels, _ in annotated), (truth for _, truth in annotated), late=video.late
    )
    scores: list[dict[str, Any]] = []
    for number, (j, f) in zip(ids, score.scores, strict=True):
        known = {"id": number, "J": float(np.mean(j)), "F": float(np.mean(f))}
        if seen is not None and number in video.categories:
            known["seen"] = video.categories[number] in seen
        scores.append(known)
    return scores


def _save(found: Sequence[Tensor], video: ObjectVideo, folder: Path) -> None:
    paths = getattr(video.frames, "paths", None)
    names = [path.stem for path in paths] if paths else [f"{t:05d}" for t in range(len(found))]
    palette = distinct_colours(256)
    folder.mkdir(parents=True, exist_ok=True)
    write_files(
        {
            folder / f"{stem}.png": encode_labels(labels.numpy(), palette)
            for stem, labels in zip(names, found, strict=True)
        }
    )
