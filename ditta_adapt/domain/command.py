"""The command `ditta-adapt domain`: what many unlabelled videos teach a model."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ditta_adapt.config import DomainConfig
from ditta_adapt.datasets.image_files import FrameFiles
from ditta_adapt.datasets.layout import need_file, need_frames
from ditta_adapt.datasets.video_file import VideoFrames
from ditta_adapt.domain.adapt import adapt_to_domain
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.io.files import check_output_folder
from ditta_adapt.io.frames import FrameLike
from ditta_adapt.model_loading import AUTO, check_model_name, load_segmenter
from ditta_adapt.progress import Progress
from ditta_adapt.teachers.registry import check_propagator, find_propagator


def add_parser(subparsers: Any) -> None:
    """Add the command to what `ArgumentParser.add_subparsers` returned."""
    default = DomainConfig()
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "domain",
        help="adapt your model to many unlabelled videos",
        description="Adapt a model to what many unlabelled videos have in common. Some of them are "
        "held out, and decide whether it is kept. Writes a folder that load_pretrained reads.",
    )
    parser.add_argument("video", nargs="+", help="video files, or folders of images of one each")
    parser.add_argument(
        "--model",
        required=True,
        help="demo, package.module:factory, or a folder or hub id of transformers",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of what was learned")
    parser.add_argument("--propagator", default="flow", help="as in run (default: flow)")
    parser.add_argument("--device", default=AUTO, help="where the model runs")
    parser.add_argument("--rounds", type=int, default=default.rounds, help="over all videos")
    parser.add_argument(
        "--held-out", type=float, default=default.held_out, help="share of the videos"
    )
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="print errors only")


def run(options: argparse.Namespace) -> int:
    """Adapt, write the folder, and say in a line what came of it.

    Returns:
        The exit status, 0: also where nothing was kept, and the folder holds the model as it was.

    Raises:
        DittaError: something named on the command line cannot be found, opened or used.
    """
    config = DomainConfig(rounds=options.rounds, held_out=options.held_out, seed=options.seed)
    videos = [open_video(Path(name)) for name in options.video]
    with importable_folder(os.getcwd()):
        check_model_name(options.model, options.device)
        check_propagator(options.propagator)
        check_output_folder(options.out)
        propagator = find_propagator(options.propagator)
        segmenter = load_segmenter(options.model, options.device)
        result = adapt_to_domain(
            segmenter,
            videos,
            propagator=propagator,
            config=config,
            progress=_silent if options.quiet else _shown,
        )
    result.save_pretrained(options.out)
    if options.json:
        print(json.dumps(result.report.to_dict()))
    elif not options.quiet:
        print(f"{result.report}; written to {options.out}.")
    return 0


def open_video(path: Path) -> Sequence[FrameLike]:
    """The frames of a file, or of a folder of images, read when they are needed.

    Raises:
        InputError: there is no such file, or no image in the folder.
    """
    if os.path.isdir(path):
        return FrameFiles(need_frames(path).values())
    return VideoFrames(need_file(path, "a video, or a folder of images"))


def _silent(progress: Progress) -> None:
    """Tell nothing."""


def _shown(progress: Progress) -> None:
    loss = "" if progress.loss is None else f", loss {progress.loss:.4f}"
    print(f"clip {progress.done} of {progress.total}{loss}", file=sys.stderr, flush=True)
