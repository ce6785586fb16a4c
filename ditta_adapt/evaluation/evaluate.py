"""Run methods over a data set; what was done before is not done again."""

import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import IGNORE, LabelledVideo, VideoDataset
from ditta_adapt.errors import DittaError, InputError
from ditta_adapt.evaluation.method_names import WITH_TRUTH, Parts, build_method, check_method
from ditta_adapt.evaluation.result import Case, VideoResult
from ditta_adapt.evaluation.result_file import ResultFile
from ditta_adapt.evaluation.runner import run_method
from ditta_adapt.evaluation.split import check_share, split_video
from ditta_adapt.isolation import weight_hash
from ditta_adapt.report import library_versions

RESULTS = "results.jsonl"
"""Name of the file of results in the output folder."""


@dataclass(frozen=True)
class Plan:
    """What is evaluated: every method on every video under every condition.

    Attributes:
        dataset: the videos.
        parts: image model, teacher, seed and what single methods need.
        methods: names, see `method_names`.
        warmups: shares of a video that are adapted to, see `split_video`.
        corruptions: such as `"contrast:high"`; `""` is the video as it is.
        limit: only the first videos of the data set.

    Raises:
        InputError: an unknown method or corruption, a share out of range, nothing to run, or a
            model whose classes are not those of the data set.
    """

    dataset: VideoDataset
    parts: Parts
    methods: Sequence[str]
    warmups: Sequence[float]
    corruptions: Sequence[str] = ("",)
    limit: int | None = None

    def __post_init__(self) -> None:
        for name in self.methods:
            check_method(name)
        for share in self.warmups:
            check_share(share)
        for corruption in filter(None, self.corruptions):
            parse_corruption(corruption)
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit is {self.limit}; expected at least 1 video.")
        if not (self.methods and self.warmups and self.corruptions and len(self.dataset)):
            raise InputError("nothing to run: expected a method, a warm-up and a video at least.")

    def cases(self) -> Iterator[tuple[int, Case]]:
        """All cases with the index of their video, a video at a time."""
        for index, video in enumerate(self.dataset.names[: self.limit]):
            for corruption in self.corruptions:
                for warmup in self.warmups:
                    for method in self.methods:
                        yield index, Case(method, warmup, corruption, video)

    def settings(self) -> dict[str, Any]:
        """What results depend on, besides their case."""
        return {
            "dataset": self.dataset.name,
            "class_names": list(self.dataset.class_names),
            "model": type(self.parts.segmenter).__name__,
            "model_hash": weight_hash(self.parts.segmenter),
            "propagator": type(self.parts.propagator).__name__,
            "seed": self.parts.seed,
            "versions": library_versions(),
        }


def evaluate(
    plan: Plan,
    out: Path,
    report: Callable[[VideoResult, int, int], None] = lambda result, done, total: None,
) -> list[VideoResult]:
    """Run what is not yet in the output folder.

    Every case starts from pre-trained weights in a method of its own, so that neither the order
    of videos nor an interruption changes a result. Results are written as they come. A case that
    raises is recorded with its reason, and is tried again by the next run.

    Args:
        plan: what to run.
        out: folder of the results; made if missing.
        report: called after every case with its result, how many cases are done, and of how many.

    Returns:
        The results of all cases of the plan, in its order.

    Raises:
        InputError: the folder holds results of another run.
    """
    _check_classes(plan)
    file = ResultFile(out / RESULTS, plan.settings())
    cases = list(plan.cases())
    opened: tuple[int, LabelledVideo] | None = None
    for done, (index, case) in enumerate(cases, 1):
        if case in file:
            continue
        try:
            if opened is None or opened[0] != index:
                opened = (index, plan.dataset[index])
            result = _run(plan, opened[1], case)
        # Whatever goes wrong with one video must not cost the hours spent on the others.
        except Exception as error:
            result = VideoResult(case, error=_reason(error))
        file.add(result)
        report(result, done, len(cases))
    known = {result.case: result for result in file}
    return [known[case] for _, case in cases]


def _run(plan: Plan, video: LabelledVideo, case: Case) -> VideoResult:
    split = split_video(len(video.frames), case.warmup)
    corruption = parse_corruption(case.corruption) if case.corruption else None
    parts = plan.parts
    if case.method in WITH_TRUTH:
        parts = replace(parts, truth=_truth(video, split.warmup, parts.segmenter.num_classes))
    num_classes = len(plan.dataset.class_names) or parts.segmenter.num_classes
    return run_method(build_method(case.method, parts), video, split, num_classes, case, corruption)


def _truth(video: LabelledVideo, count: int, num_classes: int) -> list[np.ndarray] | None:
    """Labels of the warm-up in the model's classes; none if a frame has no labels.

    Where several of the model's classes count as one class of the labels, the lowest stands for
    it, which scores the same.
    """
    known = [label for label in (video.labels[t] for t in range(count)) if label is not None]
    if len(known) < count:
        return None
    if video.relabel is None:
        return known
    table = np.full(IGNORE + 1, IGNORE, np.int64)
    for model_class in range(min(num_classes, len(video.relabel)) - 1, -1, -1):
        table[video.relabel[model_class]] = model_class
    table[IGNORE] = IGNORE
    return [table[label] for label in known]


def _check_classes(plan: Plan) -> None:
    """Refuse a model of other classes before hours are spent on it."""
    names, own = plan.dataset.class_names, plan.parts.segmenter.num_classes
    if not names or own == len(names) or plan.dataset[0].relabel is not None:
        return
    raise InputError(
        f"the model has {own} classes and the data set {plan.dataset.name!r} has {len(names)} "
        f"({', '.join(names[:4])}, ...). Take a model trained on these classes, or give the data "
        "set a `relabel` table from the model's classes to its own."
    )


def _reason(error: Exception) -> str:
    """What went wrong in a line; where, too, if it is not an error of ours."""
    shown = f"{type(error).__name__}: {error}"
    if isinstance(error, DittaError):
        return shown
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{shown} (in {place.name}, {Path(place.filename).name} line {place.lineno})"
