"""The options of a run, as a command line has them: of the model, and of each video."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import torch

from ditta_adapt.config import AdaptConfig, PropagatorTraining
from ditta_adapt.errors import InputError
from ditta_adapt.keeping.domain_weights import check_domain
from ditta_adapt.model_loading import AUTO, check_model_name, load_segmenter
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.running.excerpt import Excerpt, parse_seconds
from ditta_adapt.running.request import PRESETS, LabelFormat, Request
from ditta_adapt.running.warmup import parse_warmup
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import check_propagator, find_propagator
from ditta_adapt.teachers.test_time.checks import check_trainable
from ditta_adapt.video_segmenter import VideoSegmenter
from ditta_adapt.wrap import wrap

_DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides about model and teacher, which all videos share."""
    parser.add_argument(
        "--model",
        required=True,
        help="demo, package.module:factory, or a folder or hub id of transformers",
    )
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
    parser.add_argument("--domain", type=Path, metavar="DIR", help="what it learned of a domain")
    parser.add_argument("--device", default=AUTO, help="cpu, cuda, ...; default the fastest here")
    parser.add_argument("--dtype", choices=_DTYPES, help="cast the model's weights")
    parser.add_argument("--compile", action="store_true", help="CUDA graphs of the model")


def add_video_options(parser: argparse.ArgumentParser) -> None:
    """Add what may differ from video to video."""
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


def read_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Options of model and videos from words of a command line."""
    parser = argparse.ArgumentParser(add_help=False)
    add_model_options(parser)
    add_video_options(parser)
    return parser.parse_args(arguments)


def own_options(options: argparse.Namespace) -> argparse.Namespace:
    """The options of model and videos alone, of a command that has others besides."""
    names = vars(read_options(["--model", options.model]))
    return argparse.Namespace(**{name: getattr(options, name) for name in names})


def check_model_options(options: argparse.Namespace) -> None:
    """Refuse what is named wrongly before anything is imported, loaded or computed.

    Raises:
        InputError: there is no such package, propagator, device or folder.
    """
    check_model_name(options.model, options.device)
    check_propagator(options.propagator)
    check_domain(options.domain)


@dataclass(frozen=True, slots=True)
class Parts:
    """Model and teacher, loaded once for all videos.

    Attributes:
        segmenter: of the model.
        propagator: the teacher.
        training: of the propagator on the warm-up; none if it stays as it is.
        compile: see `wrap`.
    """

    segmenter: Segmenter
    propagator: Propagator
    training: PropagatorTraining | None
    compile: bool

    @classmethod
    def load(cls, options: argparse.Namespace) -> "Parts":
        """Load what the options of the model name.

        Raises:
            DittaError: it cannot be loaded, or the propagator cannot be trained.
        """
        propagator = find_propagator(options.propagator)
        if options.adapt_propagator:
            check_trainable(propagator)
        dtype = None if options.dtype is None else _DTYPES[options.dtype]
        return cls(
            segmenter=load_segmenter(
                options.model, options.device, dtype=dtype, domain=options.domain
            ),
            propagator=propagator,
            training=PropagatorTraining() if options.adapt_propagator else None,
            compile=options.compile,
        )

    def config(self, options: argparse.Namespace) -> AdaptConfig:
        """How the options of a video adapt to it."""
        return replace(
            PRESETS[options.preset], seed=options.seed, propagator_training=self.training
        )

    def video_model(self, options: argparse.Namespace) -> VideoSegmenter:
        """One for every video: what one leaves behind is not the next one's."""
        return wrap(
            self.segmenter,
            propagator=self.propagator,
            config=self.config(options),
            compile=self.compile,
        )


def request_of(options: argparse.Namespace) -> Request:
    """What the options of a video ask for.

    Raises:
        InputError: an excerpt or a size that no video has.
    """
    if options.size is not None and options.size < 16:
        raise InputError(f"--size is {options.size}; expected at least 16 pixels.")
    return Request(
        excerpt=Excerpt(options.start, options.end, options.stride),
        warmup=options.warmup,
        classes=tuple(options.classes),
        labels=options.labels,
        page=not options.no_report,
    )


def settings_of(options: argparse.Namespace) -> dict[str, str]:
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


def _checked(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser of text whose errors are those of the command line."""

    def checked(text: str) -> Any:
        try:
            return parse(text)
        except InputError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return checked
