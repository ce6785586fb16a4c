"""The command `ditta-adapt run`: from a video to labels, an overlay and a report."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import torch

from ditta_adapt.config import PropagatorTraining
from ditta_adapt.errors import DittaError, InputError
from ditta_adapt.evaluation.warmup import parse_warmup
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.io.files import check_output_folder
from ditta_adapt.keeping.domain_weights import check_domain
from ditta_adapt.model_loading import AUTO, check_model_name, load_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.running.bars import Bars
from ditta_adapt.running.excerpt import Excerpt, parse_seconds
from ditta_adapt.running.request import PRESETS, LabelFormat, Request
from ditta_adapt.running.run import Outcome, run_video
from ditta_adapt.running.source import Source, are_images, open_source
from ditta_adapt.running.stopping import Stop, stop_on_signals
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import check_propagator, find_propagator
from ditta_adapt.teachers.test_time.checks import check_trainable
from ditta_adapt.video_segmenter import VideoSegmenter
from ditta_adapt.wrap import wrap

INTERRUPTED = 130
"""Exit status of a run that was stopped and can be gone on with, as shells count Ctrl-C."""

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


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
    parser.add_argument(
        "--model",
        required=True,
        help="demo, package.module:factory, or a folder or hub id of transformers",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument(
        "--propagator",
        default="flow",
        help="flow, matching, stcn-small, sam2-small; sam2, sam2-hf, edgetam, cutie, stcn, each "
        "with :ID of its weights; or package.module:factory (default: flow)",
    )
    parser.add_argument(
        "--adapt-propagator",
        action="store_const",
        const=True,
        help="train it on the warm-up first (matching, stcn, sam2-small, sam2-hf, cutie)",
    )
    parser.add_argument(
        "--preset",
        choices=PRESETS,
        default="default",
        help="memory: learn nothing, remember; paper: the published program, unchecked; as-printed",
    )
    parser.add_argument(
        "--warmup",
        type=_checked(parse_warmup),
        help="what is adapted to: a share, 10%% or 0.1, or a number of frames, 8; default a "
        "tenth, at least 8 frames and at most 64",
    )
    parser.add_argument("--domain", type=Path, metavar="DIR", help="what it learned of a domain")
    parser.add_argument("--device", default=AUTO, help="cpu, cuda, ...; default the fastest here")
    parser.add_argument("--dtype", choices=_DTYPES, help="cast the model's weights")
    parser.add_argument("--compile", action="store_true", help="CUDA graphs of the model")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--stride", type=int, default=1, help="take every so many-th frame")
    parser.add_argument("--size", type=int, metavar="PIXELS", help="scale to this longer side")
    parser.add_argument("--start", type=_checked(parse_seconds), default=Fraction(0), help="1:30")
    parser.add_argument("--end", type=_checked(parse_seconds), help="likewise; default the end")
    parser.add_argument(
        "--fps", type=_checked(_rate), help="frames a second of a folder of images (default: 25)"
    )
    parser.add_argument(
        "--classes", nargs="+", default=[], metavar="CLASS", help="names or numbers to keep"
    )
    parser.add_argument(
        "--labels",
        choices=get_args(LabelFormat),
        default="png",
        help="a PNG file a frame, or one compressed file for numpy",
    )
    parser.add_argument("--no-report", action="store_true", help="leave report.html out")
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
    _request(options)
    videos = _videos(options)
    with importable_folder(os.getcwd()):
        _check_names(options)
        # Opened before a model is loaded, which may take minutes.
        sources = {folder: _opened(names, options) for folder, names in videos.items()}
        if len(sources) == 1:
            (only,) = sources.values()
            if isinstance(only, DittaError):
                raise only
        propagator = find_propagator(options.propagator)
        if options.adapt_propagator:
            check_trainable(propagator)
        parts = _segmenter(options), propagator
        failed = 0
        with stop_on_signals() as stop:
            for folder, source in sources.items():
                try:
                    outcome = _run_one(source, _video_model(*parts, options), folder, options, stop)
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
            _request(options),
            folder,
            settings=_settings(options),
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


def _request(options: argparse.Namespace) -> Request:
    if options.size is not None and options.size < 16:
        raise InputError(f"--size is {options.size}; expected at least 16 pixels.")
    return Request(
        excerpt=Excerpt(options.start, options.end, options.stride),
        warmup=options.warmup,
        classes=tuple(options.classes),
        labels=options.labels,
        page=not options.no_report,
    )


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
    check_model_name(options.model, options.device)
    check_propagator(options.propagator)
    check_domain(options.domain)
    if options.save_model is not None:
        check_output_folder(options.save_model)


def _opened(names: Sequence[str], options: argparse.Namespace) -> Source | DittaError:
    try:
        return open_source(names, max_side=options.size, rate=options.fps)
    except DittaError as error:
        return error


def _segmenter(options: argparse.Namespace) -> Segmenter:
    dtype = None if options.dtype is None else _DTYPES[options.dtype]
    return load_segmenter(options.model, options.device, dtype=dtype, domain=options.domain)


def _video_model(
    segmenter: Segmenter, propagator: Propagator, options: argparse.Namespace
) -> VideoSegmenter:
    """One for every video: what one leaves behind is not the next one's."""
    training = PropagatorTraining() if options.adapt_propagator else None
    config = replace(PRESETS[options.preset], seed=options.seed, propagator_training=training)
    return wrap(segmenter, propagator=propagator, config=config, compile=options.compile)


def _settings(options: argparse.Namespace) -> dict[str, str]:
    """What is shown of the command in reports, and makes it another run if it differs."""
    names = "model domain propagator adapt_propagator preset device dtype seed size fps"
    values = {name: getattr(options, name) for name in names.split()}
    return {name: str(value) for name, value in values.items() if value is not None}


def _rate(text: str) -> Fraction:
    try:
        rate = Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not 0 < rate <= 1000:
        raise InputError(f"{text!r} is no rate; expected frames a second, such as 25 or 29.97.")
    return rate


def _checked(parse: Any) -> Any:
    """A parser of text whose errors are those of the command line."""

    def checked(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked
