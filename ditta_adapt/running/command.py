"""The command `ditta-adapt run`: from a video to labels, an overlay and a report."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ditta_adapt.errors import DittaError, InputError
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.io.files import check_output_folder
from ditta_adapt.running.bars import Bars
from ditta_adapt.running.options import (
    Parts,
    add_model_options,
    add_video_options,
    check_model_options,
    request_of,
    settings_of,
)
from ditta_adapt.running.run import Outcome, run_video
from ditta_adapt.running.source import Source, are_images, open_source
from ditta_adapt.running.stopping import Stop, stop_on_signals
from ditta_adapt.video_segmenter import VideoSegmenter

INTERRUPTED = 130
"""Exit status of a run that was stopped and can be gone on with, as shells count Ctrl-C."""


def add_parser(subparsers: Any) -> None:
    """Add the command to what `ArgumentParser.add_subparsers` returned."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "run",
        help="label a video with your model",
        description="Adapt a model to the first frames of a video and label all of it. Writes "
        "label maps, overlay.mp4, report.json and report.html. A run that was stopped goes on "
        "when the same command is given again. Exit status 1 if one of several videos failed, "
        "130 if the run was stopped.",
    )
    parser.add_argument(
        "video",
        nargs="+",
        help="a video file, a folder of images, image files, a device, the address of a stream, "
        "or - for standard input; of several videos each gets a folder of its own",
    )
    add_model_options(parser)
    add_video_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument("--save-model", type=Path, metavar="DIR", help="keep what was learned")
    parser.add_argument("--overwrite", action="store_true", help="replace results in the folder")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="print errors only")


def run(options: argparse.Namespace) -> int:
    """Run, and print a line for every video.

    Returns:
        The exit status: 0; 1 if one of several videos failed; 130 if the run was stopped.

    Raises:
        DittaError: something named on the command line cannot be found, opened or used.
    """
    request_of(options)
    videos = _videos(options)
    with importable_folder(os.getcwd()):
        _check_names(options)
        # Opened before a model is loaded, which may take minutes.
        sources = {folder: _opened(names, options) for folder, names in videos.items()}
        if len(sources) == 1:
            (only,) = sources.values()
            if isinstance(only, DittaError):
                raise only
        parts = Parts.load(options)
        failed = 0
        with stop_on_signals() as stop:
            for folder, source in sources.items():
                try:
                    outcome = _run_one(source, parts.video_model(options), folder, options, stop)
                except DittaError as error:
                    if len(sources) == 1:
                        raise
                    failed += 1
                    print(f"ditta-adapt: {folder.name}: {error}", file=sys.stderr)
                else:
                    if outcome.status == "stopped":
                        return INTERRUPTED
    return 1 if failed else 0


def _keep(video_model: VideoSegmenter, outcome: Outcome, folder: Path) -> None:
    """Save what was learned, unless that was done when the run was."""
    if outcome.status == "done":
        video_model.save_pretrained(folder)
    elif not folder.is_dir():
        raise InputError(
            "the run was done before, and what it learned was not kept; to run it again pass "
            "--overwrite."
        )


def _run_one(
    source: Source | DittaError,
    video_model: VideoSegmenter,
    folder: Path,
    options: argparse.Namespace,
    stop: Stop,
) -> Outcome:
    if isinstance(source, DittaError):
        raise source
    bars = Bars(shown=not options.quiet)
    try:
        outcome = run_video(
            source,
            video_model,
            request_of(options),
            folder,
            settings=settings_of(options),
            overwrite=options.overwrite,
            stop=stop,
            progress=bars.progress,
            tick=bars.tick,
        )
    finally:
        bars.close()
    if options.save_model is not None and outcome.status != "stopped":
        several = folder != options.out
        _keep(video_model, outcome, options.save_model / (folder.name if several else ""))
    if options.json and outcome.report:
        print(json.dumps(outcome.report))
    elif not options.quiet:
        print(last_line(outcome, folder))
    return outcome


def last_line(outcome: Outcome, folder: Path) -> str:
    """What came of it, how fast, and where it is, in one line."""
    if outcome.status == "stopped" and not outcome.frames:
        return "stopped before there was anything to go on with; the same command starts anew."
    if outcome.status == "stopped":
        return (
            f"stopped: {outcome.frames} frames are kept in {folder}; the same command goes on "
            "from there."
        )
    report = outcome.report
    seconds = report["seconds"]["whole"]
    speed = f"{outcome.frames} frames in {seconds:.0f} s ({outcome.frames / seconds:.1f} a second)"
    done = "; it was done before" if outcome.status == "was done" else ""
    return f"{report['verdict']} {speed}; results in {folder}{done}."


def _videos(options: argparse.Namespace) -> dict[Path, Sequence[str]]:
    """What is read for each folder of results."""
    names: list[str] = options.video
    if len(names) == 1 or are_images(names):
        check_output_folder(options.out)
        return {options.out: names}
    videos: dict[Path, Sequence[str]] = {}
    for name in names:
        folder = options.out / (Path(name).stem or "video")
        if folder in videos:
            raise InputError(f"two videos are called {folder.name}; label them one by one.")
        videos[folder] = [name]
    check_output_folder(options.out)
    return videos


def _check_names(options: argparse.Namespace) -> None:
    """Refuse what is named wrongly before anything is imported, loaded or computed."""
    check_model_options(options)
    if options.save_model is not None:
        check_output_folder(options.save_model)


def _opened(names: Sequence[str], options: argparse.Namespace) -> Source | DittaError:
    try:
        return open_source(names, max_side=options.size, rate=options.fps)
    except DittaError as error:
        return error
