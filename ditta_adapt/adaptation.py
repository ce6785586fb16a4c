"""The four stages in order: predict the warm-up, build targets, train on them, begin to stream."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from jaxtyping import UInt8
from torch import Tensor

from ditta_adapt.clock import Clock
from ditta_adapt.config import AdaptConfig, CacheBudget
from ditta_adapt.models.caller_state import own_gradient_mode, seeded
from ditta_adapt.models.encodings import is_passed_through
from ditta_adapt.models.forward import preprocess_frame
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.progress import ProgressCallback, check_progress
from ditta_adapt.report import AdaptationReport, report_of
from ditta_adapt.safety.drift_monitor import monitor_of
from ditta_adapt.safety.guarded_training import guarded_training
from ditta_adapt.safety.judge import judge_of
from ditta_adapt.safety.resolution import resolve
from ditta_adapt.safety.trusted_looks import look_twice
from ditta_adapt.streaming.beginning import begin_after
from ditta_adapt.streaming.stream import Stream
from ditta_adapt.targets.builder import TargetBuilder, check_targets
from ditta_adapt.targets.trained_propagator import train_propagator
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.training.student import Student


@dataclass(frozen=True, slots=True)
class Adaptation:
    """What came of adapting to the first frames of a video.

    Attributes:
        stream: the adapted model, ready for the frame after the warm-up.
        warm_up: the frames, with their encodings.
        report: what was done.
    """

    stream: Stream
    warm_up: WarmUp
    report: AdaptationReport


def adapt_to_frames(
    segmenter: Segmenter,
    frames: Sequence[UInt8[Tensor, "3 H W"]],
    propagator: Propagator,
    config: AdaptConfig,
    target_builder: TargetBuilder,
    cache: CacheBudget,
    progress: ProgressCallback,
    *,
    compile: bool = False,
) -> Adaptation:
    """Adapt a copy of a segmenter to frames that are ours to keep; see `VideoSegmenter.adapt`."""
    check_progress(progress)
    clock = Clock()
    with own_gradient_mode(), seeded(config.seed, device_of(segmenter)), ExitStack() as stack:
        frozen = Student.pretrained(segmenter)
        looked = ""
        with clock.stage("predict"):
            normalizer = config.reliability_normalizer
            warm_up = WarmUp.from_frames(
                frozen.segmenter, frames, progress, normalizer=normalizer, budget=cache
            )
        if config.look is not None:
            with clock.stage("look"):
                warm_up, config, looked = look_twice(warm_up, config, progress)
        with clock.stage("teach"):
            propagator, taught = train_propagator(propagator, warm_up, config, progress)
            # Open to the end, so that what it computes of the frames is computed once.
            resolution = stack.enter_context(resolve(config, propagator, warm_up))
            config = resolution.config
            targets = target_builder(propagator, warm_up, config, progress)
            check_targets(targets, warm_up)
        with clock.stage("adapt"):
            trained = guarded_training(segmenter, frozen, warm_up, targets, config, progress)
        stream = Stream(
            trained.student,
            frozen,
            config,
            memory=config.memory,
            propagator=propagator,
            monitor=monitor_of(trained, config),
            judge=judge_of(trained, config, looked=warm_up.looks is not None),
            compile=compile,
        )
        not_compiled = ""
        if compile:
            with clock.stage("compile"):
                not_compiled = stream.compile(warm_up.frames[-1])
        begin_after(stream, warm_up, resolution.session)
    about = getattr(segmenter, "notes", ())
    whole = _whole_model_note(warm_up)
    length = None if stream.state is None else stream.state.length
    short = "" if length is None else length.note
    notes = (taught, resolution.note, trained.note, looked, short, whole, not_compiled, *about)
    report = report_of(
        segmenter, propagator, config, warm_up, targets, trained, clock.seconds, notes
    )
    return Adaptation(stream, warm_up, report)


def _whole_model_note(warm_up: WarmUp) -> str:
    """In plain words, that nothing of the model is frozen, where that is so."""
    images = preprocess_frame(warm_up.segmenter, warm_up.frames[0])
    if not is_passed_through(images, warm_up.encodings[0]):
        return ""
    return (
        "every step ran all of the model, since no part of it is frozen; with a decoder named, a "
        "step costs only the decoder"
    )
