"""The judge over collected cases, in seconds: what it would have let through, and how it went."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.never_hurts.collect import CANDIDATES
from ditta_adapt import Checks
from ditta_adapt.metrics import SegmentationScore
from ditta_adapt.safety.judge import Judge


@dataclass(frozen=True)
class Collected:
    """One case, as `collect` wrote it.

    Attributes:
        about: what is known of it: the case, who spoke, opinions of the warm-up, costs.
        confusion: by way of labelling, a matrix a streamed frame.
        opinions: by streamed frame, how much better than the image model each candidate agrees
            with the look at it.
        true: likewise, with the truth.
    """

    about: dict[str, Any]
    confusion: dict[str, np.ndarray]
    opinions: dict[int, dict[str, float]]
    true: dict[int, dict[str, float]]

    @classmethod
    def read(cls, path: Path) -> "Collected":
        """Read a file of `collect`."""
        with np.load(path) as stored:
            about = json.loads(str(stored["about"]))
            confusion = {
                name.removeprefix("confusion "): stored[name]
                for name in stored.files
                if name.startswith("confusion ")
            }
        opinions = {int(t): found for t, found in about["opinions of looks"].items()}
        true = {}
        for t in opinions:
            scores = {name: iou(confusion[name][t : t + 1]) for name in CANDIDATES}
            true[t] = {name: scores[name] - scores[CANDIDATES[0]] for name in CANDIDATES[1:]}
        return cls(about, confusion, opinions, true)

    @property
    def network(self) -> str:
        """The name of the network."""
        return str(self.about["case"]["network"])

    @property
    def video(self) -> str:
        """The name of the video."""
        return str(self.about["case"]["video"])

    @property
    def corrupted(self) -> bool:
        """Whether the frames are spoiled."""
        return bool(self.about["case"]["corruption"])

    @cached_property
    def base(self) -> float:
        """IoU of the image model."""
        return iou(self.confusion["image model"])

    def change(self, name: str) -> float:
        """IoU of one way to label, less that of the image model."""
        return iou(self.confusion[name]) - self.base

    def consistency(self, name: str = "default") -> float:
        """The same of mVC8; undefined where no class keeps still for eight frames."""
        values = self.about["mvc8"]
        return float(values[name]) - float(values["image model"])

    def replayed(self, checks: Checks) -> float:
        """The change if a judge with other numbers had decided, each candidate remembering its own.

        The stream itself has one memory, of whoever speaks, so it differs a little. Where there was
        no look nobody judged, and it is what it was.
        """
        if not self.about["opinions"]:
            return self.change("default")
        found = {name: tuple(values) for name, values in self.about["opinions"].items()}
        judge = Judge(checks, found)  # type: ignore[arg-type]
        frames = []
        for t in range(len(self.confusion["default"])):
            if t in self.opinions:
                known = {k: v for k, v in self.opinions[t].items() if k in found}
                judge = judge.after(known)  # type: ignore[arg-type]
            frames.append(self.confusion[judge.speaker][t])
        return iou(np.stack(frames)) - self.base


def iou(confusion: np.ndarray) -> float:
    """Of the object, if there are two classes, else the mean over classes; 0 where undefined."""
    total = confusion.sum(axis=0)
    if len(total) == 2:
        union = total[1].sum() + total[:, 1].sum() - total[1, 1]
        return float(total[1, 1] / union) if union else 0.0
    return float(SegmentationScore.from_confusion(torch.from_numpy(total)).miou())


ERRORS = (0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Standard errors of the judge that are compared."""


def leave_out(cases: Sequence[Collected], key: Callable[[Collected], str]) -> list[float]:
    """The change of every case with the `standard_errors` best on all cases of other keys.

    Best: the largest mean change, less ten times what is lost beyond .01 in the worst case.
    """
    table = {
        errors: [case.replayed(Checks(standard_errors=errors)) for case in cases]
        for errors in ERRORS
    }
    changes = []
    for index, case in enumerate(cases):
        others = [i for i, other in enumerate(cases) if key(other) != key(case)]

        def worth(errors: float, others: Sequence[int] = others) -> float:
            values = [table[errors][i] for i in others]
            return float(np.mean(values)) + 10 * min(0.0, min(values) + 0.01)

        best = max(ERRORS, key=worth) if others else 1.0
        changes.append(table[best][index])
    return changes


def calibration(cases: Iterable[Collected]) -> list[tuple[float, float]]:
    """Opinion and true change, of every candidate at every look of a stream."""
    return [
        (opinion, case.true[t][name])
        for case in cases
        for t, opinions in case.opinions.items()
        for name, opinion in opinions.items()
    ]
