"""One video, from its source to the results in a folder; stopped and gone on with at any frame."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ditta_adapt.clock import Clock
from ditta_adapt.errors import InputError
from ditta_adapt.io.optional import require
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.reporting.page import render_page
from ditta_adapt.running.classes import classes_of
from ditta_adapt.running.identity import identity
from ditta_adapt.running.label_files import pack_labels
from ditta_adapt.running.labelling import Labelling, Tick, no_tick
from ditta_adapt.running.request import Request, warmup_frames
from ditta_adapt.running.source import Source
from ditta_adapt.running.stopping import Stop
from ditta_adapt.running.telling import report_of_run, story_of_run
from ditta_adapt.running.work_folder import WorkFolder
from ditta_adapt.video_segmenter import VideoSegmenter


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: done; stopped, and the same run goes on; or it had been done before.
        frames: that have their labels.
        report: what `report.json` holds; empty if it was stopped.
    """

    status: Literal["done", "stopped", "was done"]
    frames: int
    report: dict[str, Any] = field(default_factory=dict)


def run_video(
    source: Source,
    video_model: VideoSegmenter,
    request: Request,
    folder: Path,
    *,
    settings: dict[str, str] | None = None,
    overwrite: bool = False,
    stop: Stop | None = None,
    progress: ProgressCallback = silent,
    tick: Tick = no_tick,
) -> Outcome:
    """Label a video, and write label maps, an overlay, and reports into a folder.

    Written are `labels/000000.png` and so on, or `labels.npz`; `overlay.mp4` with the sound and
    the times of the source; `report.json` and `report.html`. A run that was stopped goes on when it
    is called again with the same arguments, and ends with the same files.

    Args:
        source: the video.
        video_model: adapted to its first frames; as after `adapt` and streaming afterwards.
        request: which frames, and what is written.
        folder: made if it is missing.
        settings: shown in the reports; another run, if they differ.
        overwrite: whether results of another run in the folder are replaced.
        stop: asks the run to stop after the frame it is at; a live source has then ended.
        progress: of the adaptation.
        tick: called after every labelled frame.

    Raises:
        InputError: the source cannot be read or has no frame; the folder cannot be written or holds
            something else; or the request does not fit the model or the video.
        DittaError: see `VideoSegmenter`.
        MissingDependencyError: PyAV, Pillow or Matplotlib is not installed.
    """
    if request.page:
        # Found out now rather than after hours.
        require("matplotlib")
    classes = classes_of(video_model.segmenter, request.classes)
    asked = identity(source, video_model, request, settings or {})
    work = WorkFolder(folder, asked)
    count = _count(source, request)
    warmup = warmup_frames(request.warmup, count)
    standing = work.begin(overwrite=overwrite)
    if standing == "done":
        report = work.report()
        return Outcome("was done", int(report["frames"]), report)
    run = Labelling(
        source, video_model, request, work, classes, count, warmup, stop or Stop(), progress, tick
    )
    clock = Clock()
    with clock.stage("whole"):
        if not run.label(work.checkpoint()):
            return Outcome("stopped", run.saved)
    told = run.told(settings or {}, clock.seconds | run.seconds)
    page = render_page(story_of_run(told, work)) if request.page else None
    report = report_of_run(told)
    if request.labels == "npz":
        files = [work.label_file(index) for index in range(len(run.tally))]
        pack_labels(folder / "labels.npz", files)
        for file in files:
            file.unlink()
        work.labels.rmdir()
    work.finish(report, page)
    return Outcome("done", len(run.tally), report)


def _count(source: Source, request: Request) -> int | None:
    """How many frames are to be labelled; none if nobody knows."""
    if source.times is None:
        return None
    count = sum(1 for _ in request.excerpt.of((time, None) for time in source.times))
    if count == 0 and source.times:
        length = float(source.times[-1] - source.times[0])
        raise InputError(
            f"{source.name} has no frame there: its last one is at {length:.2f} s, and labels are "
            f"asked for from {float(request.excerpt.start):g} s on."
        )
    return count
