"""Run methods over a data set; what was done before is not done again."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from ditta_adapt.batch.worker import reason_of
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import LabelledVideo, VideoDataset
from ditta_adapt.datasets.readable import OnError, ReadableFrames, check_on_error
from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.building import REFINED, build_method, check_parts
from ditta_adapt.evaluation.counter import Watch
from ditta_adapt.evaluation.method_names import WITH_TRUTH, Parts
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.evaluation.result_file import ResultFile
from ditta_adapt.evaluation.runner import run_method
from ditta_adapt.evaluation.scores import USUAL, Scores
from ditta_adapt.evaluation.split import split_video
from ditta_adapt.models.parameters import device_of, weight_hash
from ditta_adapt.report import library_versions
from ditta_adapt.running.warmup import Warmup, check_warmup, parse_warmup, show_warmup

RESULTS = "results.jsonl"
"""Name of the file of results in the output folder."""


@dataclass(frozen=True)
class Plan:
    """What is evaluated: every method on every video under every condition.

    Attributes:
        dataset: the videos.
        parts: image model, propagator, seed and what single methods need.
        methods: names, see `method_names`.
        warmups: shares of a video, or numbers of frames, that are adapted to, see `split_video`.
        corruptions: such as `"contrast:high"`; `""` is the video as it is.
        limit: only the first videos of the data set.
        on_error: what becomes of a video with frames that cannot be read: they are left out of it
            (`"skip"`), or it fails (`"stop"`). Results of whole videos serve both.
        scores: what is measured.
        origin: what data set and propagator were made from, such as a folder and its options.
            Results of another origin are not mixed with these.

    Raises:
        InputError: an unknown method or corruption, or one that cannot run; a wrong warm-up or
            `on_error`; nothing to run; two videos of one name.
    """

    dataset: VideoDataset
    parts: Parts
    methods: Sequence[str]
    warmups: Sequence[Warmup]
    corruptions: Sequence[str] = ("",)
    limit: int | None = None
    on_error: OnError = "skip"
    scores: Scores = USUAL
    origin: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.methods:
            check_parts(name, self.parts)
        for warmup in self.warmups:
            check_warmup(warmup)
        for corruption in filter(None, self.corruptions):
            # Those that cannot be applied at all say so before a frame is asked for.
            parse_corruption(corruption).apply(())
        check_on_error(self.on_error)
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit is {self.limit}; expected at least 1 video.")
        if not (self.methods and self.warmups and self.corruptions and len(self.dataset)):
            raise InputError("nothing to run: expected a method, a warm-up and a video at least.")
        repeated = [name for name, count in Counter(self.dataset.names).items() if count > 1]
        if repeated:
            raise InputError(
                f"the data set has {len(repeated)} names of several videos, such as "
                f"{repeated[0]!r}; expected every video to have its own."
            )

    def cases(self) -> Iterator[tuple[int, Case]]:
        """All cases with the index of their video, a video at a time."""
        for index, video in enumerate(self.dataset.names[: self.limit]):
            for corruption in dict.fromkeys(self.corruptions):
                for warmup in dict.fromkeys(map(show_warmup, self.warmups)):
                    for method in dict.fromkeys(self.methods):
                        yield index, Case(method, warmup, corruption, video)

    def settings(self) -> dict[str, Any]:
        """What results depend on, besides their case."""
        return {
            "dataset": self.dataset.name,
            "class_names": list(self.dataset.class_names),
            "model": type(self.parts.segmenter).__name__,
            "model_hash": weight_hash(self.parts.segmenter),
            "device": str(device_of(self.parts.segmenter)),
            "aux_hash": weight_hash(self.parts.aux) if self.parts.aux else None,
            "classifier": _digest(self.parts.classifier) if self.parts.classifier else None,
            "propagator": type(self.parts.propagator).__name__,
            "seed": self.parts.seed,
            "origin": dict(self.origin),
            "versions": library_versions(),
        } | self._measured()

    def _measured(self) -> dict[str, Any]:
        """What else than the usual is measured, so that results without it are not taken."""
        windows = set(self.scores.windows) - set(USUAL.windows)
        extras = (extra.key for extra in self.scores.extras)
        more = sorted([*extras, *(f"mVC{window}" for window in windows)])
        return {"scores": more} if more else {}


Indexed = tuple[int, Case]
"""A case, with the index of its video."""

Runner = Callable[[Plan, Sequence[Indexed], Callable[[VideoResult], None]], None]
"""Runs cases of a plan, and gives the result of each to a function."""


def evaluate(
    plan: Plan,
    out: Path,
    report: Callable[[VideoResult, int, int], None] = lambda result, done, total: None,
    run: Runner | None = None,
) -> list[VideoResult]:
    """Run what is not yet in the output folder.

    Every case starts from pre-trained weights in a method of its own, so that neither the order
    of videos nor an interruption changes a result. Results are written as they come. A case that
    raises is recorded with its reason, and is tried again by the next run.

    Args:
        plan: what to run.
        out: folder of the results; made if missing.
        report: called after every case that is run, with its result, how many of them are done,
            and of how many.
        run: runs the cases; by default this process does.

    Returns:
        The results of all cases of the plan, in its order.

    Raises:
        InputError: the folder holds results of another run.
    """
    _check_classes(plan)
    file = ResultFile(out / RESULTS, plan.settings())
    cases = list(plan.cases())
    pending = [(i, case) for i, case in cases if not file.is_done(case, plan.on_error)]
    numbers = count(1)

    def add(result: VideoResult) -> None:
        file.add(result)
        report(result, next(numbers), len(pending))

    (run or run_here)(plan, pending, add)
    known = {result.case: result for result in file}
    return [known[case] for _, case in cases]


def run_here(plan: Plan, cases: Sequence[Indexed], add: Callable[[VideoResult], None]) -> None:
    """Run cases in this process, one after the other."""
    opened: tuple[int, LabelledVideo] | None = None
    for index, case in cases:
        try:
            if opened is None or opened[0] != index:
                opened = (index, plan.dataset[index])
            result = run_on(plan, opened[1], case)
        # Whatever goes wrong with one video must not cost the hours spent on the others.
        except Exception as error:
            result = VideoResult(case, error=reason_of(error))
        add(result)


def run_case(plan: Plan, case: Case, watch: Watch) -> VideoResult:
    """Run one case of a plan again, and show every frame that is labelled.

    Raises:
        DittaError: what makes the case fail.
    """
    return run_on(plan, plan.dataset[plan.dataset.names.index(case.video)], case, watch)


def run_on(plan: Plan, video: LabelledVideo, case: Case, watch: Watch | None = None) -> VideoResult:
    """Run one case of a plan on its video.

    Raises:
        Exception: what makes the case fail.
    """
    split = split_video(len(video.frames), parse_warmup(case.warmup))
    corruption = parse_corruption(case.corruption) if case.corruption else None
    parts = replace(plan.parts, video=video)
    if case.method.removeprefix(f"{REFINED}:") in WITH_TRUTH:
        truth = _truth(video, split.warmup, plan.on_error)
        parts = replace(parts, truth=truth, relabel=video.relabel)
    num_classes = len(plan.dataset.class_names) or parts.segmenter.num_classes
    method = build_method(case.method, parts)
    scores = Scores(tuple(dict.fromkeys((*USUAL.names, *plan.scores.names))))
    return run_method(
        method, video, split, num_classes, case, corruption, plan.on_error, scores, watch
    )


def _truth(video: LabelledVideo, count: int, on_error: OnError) -> list[np.ndarray] | None:
    """Labels of those frames of the warm-up that can be read; none if one has no labels."""
    frames = ReadableFrames(video.frames[:count], on_error)
    labels = [video.labels[t] for t, _ in frames]
    known = [label for label in labels if label is not None]
    return known if len(known) == len(labels) else None


def _digest(module: nn.Module) -> str:
    """SHA-256 of a module's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.cpu().numpy().tobytes())
    return digest.hexdigest()


def _check_classes(plan: Plan) -> None:
    """Refuse a model of other classes, and tables that do not fit, before hours are spent.

    Raises:
        InputError: the model's classes are not those of the labels, nor does a `relabel` table
            turn each of them into one.
    """
    names, own = plan.dataset.class_names, plan.parts.segmenter.num_classes
    tables = _relabel_tables(plan)
    first = next(tables, None)
    if not names or first is None:
        return
    if first[1] is None:
        if own != len(names):
            raise InputError(
                f"the model has {own} classes and the data set {plan.dataset.name!r} has "
                f"{len(names)} ({', '.join(names[:4])}, ...). Take a model trained on these "
                "classes, or say which of its classes counts as which: --class-map, or a `relabel` "
                "table of the data set."
            )
        return
    for name, table in chain([first], tables):
        if table is not None and (len(table) < own or table.max() >= len(names)):
            raise InputError(
                f"video {name!r}: relabel turns {len(table)} classes into label classes up to "
                f"{table.max()}; expected one of the {len(names)} label classes for each of the "
                f"model's {own} classes."
            )


def _relabel_tables(plan: Plan) -> Iterator[tuple[str, np.ndarray | None]]:
    """Name and table of the videos that can be opened; the others will fail by themselves."""
    for index, name in enumerate(plan.dataset.names[: plan.limit]):
        try:
            table = plan.dataset[index].relabel
        except Exception:
            continue
        yield name, table
