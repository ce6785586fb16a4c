"""The work of `ditta-adapt batch`: each video as `ditta-adapt run` labels it."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ditta_adapt.batch.inputs import fetch, fingerprint, is_remote
from ditta_adapt.batch.manifest import Entry
from ditta_adapt.batch.work import Task
from ditta_adapt.models.parameters import device_of, weight_hash
from ditta_adapt.report import library_versions
from ditta_adapt.running.identity import asked_of
from ditta_adapt.running.options import Parts, request_of, settings_of
from ditta_adapt.running.run import run_video
from ditta_adapt.running.source import open_source
from ditta_adapt.running.stopping import Stop


@dataclass(frozen=True, slots=True)
class LabelVideos:
    """Label videos with one model, see `Work`.

    Attributes:
        options: of the model, see `add_model_options`.
    """

    options: argparse.Namespace

    def prepare(self) -> "VideoLabeller":
        """Load model and teacher."""
        parts = Parts.load(self.options)
        return VideoLabeller(parts, weight_hash(parts.segmenter))


@dataclass(frozen=True, slots=True)
class VideoTask:
    """What is done with one video.

    Attributes:
        video: its path or address.
        options: of the model, and of this video.
    """

    video: str
    options: argparse.Namespace


def task_of(entry: Entry, options: argparse.Namespace) -> Task:
    """The task of a video with its own options."""
    # Whatever folder the next command is given in, it is the same video.
    video = entry.video if is_remote(entry.video) else os.path.abspath(entry.video)
    return Task(entry.name, VideoTask(video, options))


@dataclass(frozen=True, slots=True)
class VideoLabeller:
    """A worker's model and teacher, see `Prepared`.

    Attributes:
        parts: loaded once.
        model_hash: of the model's weights.
    """

    parts: Parts
    model_hash: str

    def identity(self, task: Task) -> dict[str, Any]:
        """Video, its state, options, weights, versions and kind of device."""
        own: VideoTask = task.payload
        return {
            "video": own.video,
            "input": fingerprint(own.video),
            "asked": asked_of(request_of(own.options)),
            "settings": settings_of(own.options),
            "config": self.parts.config(own.options).to_dict(),
            "model_hash": self.model_hash,
            "device": device_of(self.parts.segmenter).type,
            "versions": library_versions(),
        }

    def do(self, task: Task, folder: Path, stop: Stop) -> dict[str, Any] | None:
        """Label the video, as `run_video` does."""
        own: VideoTask = task.payload
        path = fetch(own.video, folder.with_name("inputs"))
        options = own.options
        source = open_source([path], max_side=options.size, rate=options.fps)
        outcome = run_video(
            source,
            self.parts.video_model(options),
            request_of(options),
            folder,
            settings=settings_of(options),
            # What an earlier attempt left is of the same key, and gone on with where it can be.
            overwrite=True,
            stop=stop,
        )
        return None if outcome.status == "stopped" else row_of(own.video, outcome.report)


def row_of(video: str, report: dict[str, Any]) -> dict[str, Any]:
    """What the summary says of a video, see `COLUMNS`."""
    changing, flicker = report["pixels_changing"], report["flicker"]
    speakers, seconds = report["frames_by_speaker"], report["seconds"]
    height, width = report["size"]
    return {
        "video": video,
        "verdict": report["verdict"],
        "frames": report["frames"],
        "height": height,
        "width": width,
        "warmup_frames": report["warmup_frames"],
        "seconds": seconds["whole"],
        "adapt_seconds": seconds.get("adapt"),
        "changing_before": changing["image_model"],
        "changing_after": changing["video_model"],
        "flicker_before": flicker.get("image_model"),
        "flicker_after": flicker.get("video_model"),
        "frames_adapted": speakers.get("adapted", 0),
        "frames_memory": speakers.get("memory", 0),
        "frames_image_model": speakers.get("image model", 0),
        "cuts": len(report["cuts"]),
        "looks": len(report["looks"]),
        "notes": list(report["notes"]),
    }
