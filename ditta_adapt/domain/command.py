"""The command `ditta-adapt domain`: what many unlabelled videos teach a model."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from ditta_adapt.config import ClassMix, DomainConfig, LowRank, PatchMask
from ditta_adapt.config.domain import EncoderLearning
from ditta_adapt.datasets import VideoDataset, open_dataset
from ditta_adapt.datasets.image_files import FrameFiles
from ditta_adapt.datasets.layout import need_file, need_frames
from ditta_adapt.datasets.opening import dataset_names, parse_options
from ditta_adapt.datasets.video_file import VideoFrames
from ditta_adapt.domain.adapt import adapt_to_domain
from ditta_adapt.errors import InputError
from ditta_adapt.io.factories import importable_folder
from ditta_adapt.io.files import check_output_folder
from ditta_adapt.io.frames import FrameLike
from ditta_adapt.model_loading import AUTO, check_model_name, load_segmenter
from ditta_adapt.progress import Progress, silent
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
    parser.add_argument(
        "--source",
        metavar="DATASET",
        help=f"learn labelled videos, too: {', '.join(dataset_names())}, or package.module:factory",
    )
    parser.add_argument("--source-root", type=Path, help="where that data set lies")
    parser.add_argument(
        "--source-option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="option of that data set, such as split=train; may be repeated",
    )
    parser.add_argument(
        "--mix",
        choices=_MIX,
        help="paste classes of source frames into the target's, others in each frame, or the same "
        "through a clip (default: nothing is pasted)",
    )
    parser.add_argument(
        "--mask", action="store_true", help="learn every frame a second time with parts hidden"
    )
    encoder = parser.add_mutually_exclusive_group()
    encoder.add_argument(
        "--norms", action="store_true", help="learn the encoder's normalisation layers, too"
    )
    encoder.add_argument(
        "--lora",
        type=int,
        metavar="RANK",
        help="learn low-rank updates of the weights of the encoder's layers, too, such as 8",
    )
    parser.add_argument(
        "--detail",
        action="store_true",
        help="look at enlarged parts of every frame, too, now and later: five times the cost",
    )
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--quiet", action="store_true", help="print errors only")


_MIX = {"independent": ClassMix(), "consistent": ClassMix(consistent=True)}


def run(options: argparse.Namespace) -> int:
    """Adapt, write the folder, and say in a line what came of it.

    A command that was stopped goes on when it is given again.

    Returns:
        The exit status, 0: also where nothing was kept, and the folder holds the model as it was.

    Raises:
        DittaError: something named on the command line cannot be found, opened or used.
    """
    encoder: EncoderLearning = "norms" if options.norms else "frozen"
    if options.lora is not None:
        encoder = LowRank(rank=options.lora)
    config = DomainConfig(
        rounds=options.rounds,
        held_out=options.held_out,
        mix=None if options.mix is None else _MIX[options.mix],
        mask=PatchMask() if options.mask else None,
        encoder=encoder,
        detail=options.detail,
        seed=options.seed,
    )
    videos = [open_video(Path(name)) for name in options.video]
    checkpoint = options.out / "checkpoint.safetensors"
    with importable_folder(os.getcwd()):
        check_model_name(options.model, options.device)
        check_propagator(options.propagator)
        check_output_folder(options.out)
        source = _source(options)
        result = adapt_to_domain(
            load_segmenter(options.model, options.device),
            videos,
            source=source,
            propagator=find_propagator(options.propagator),
            config=config,
            checkpoint=checkpoint,
            progress=silent if options.quiet else _Shown(),
        )
    result.save_pretrained(options.out)
    # With what a process that was killed while it wrote has left.
    for left in (checkpoint, *options.out.glob(".*.tmp")):
        left.unlink(missing_ok=True)
    if options.json:
        print(json.dumps(result.report.to_dict()))
    elif not options.quiet:
        print(f"{result.report}; written to {options.out}.")
    return 0


def _source(options: argparse.Namespace) -> VideoDataset | None:
    if options.source is None:
        if options.source_root or options.source_option or options.mix:
            raise InputError(
                "--source-root, --source-option and --mix belong to a --source; name it."
            )
        return None
    if options.source_root is None:
        raise InputError(f"--source {options.source} needs --source-root, where it lies.")
    extra = parse_options(options.source_option)
    return open_dataset(options.source, options.source_root, **extra)


def open_video(path: Path) -> Sequence[FrameLike]:
    """The frames of a file, or of a folder of images, read when they are needed.

    Raises:
        InputError: there is no such file, or no image in the folder.
    """
    if os.path.isdir(path):
        return FrameFiles(need_frames(path).values())
    return VideoFrames(need_file(path, "a video, or a folder of images"))


class _Shown:
    """A line a clip, with the time that is left."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._first = 0

    def __call__(self, progress: Progress) -> None:
        # What was done before the command was stopped does not count for the speed.
        self._first = self._first or progress.done
        each = (time.monotonic() - self._began) / (progress.done - self._first + 1)
        left = timedelta(seconds=round(each * (progress.total - progress.done)))
        loss = "" if progress.loss is None else f", loss {progress.loss:.4f}"
        line = f"clip {progress.done} of {progress.total}{loss}, {left} left"
        print(line, file=sys.stderr, flush=True)
