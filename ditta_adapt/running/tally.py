"""The numbers of a run, frame by frame, and how they outlive an interruption."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Integer

from ditta_adapt.errors import CheckpointError
from ditta_adapt.io.files import write_files
from ditta_adapt.streaming.frame_log import FrameLog


@dataclass
class Tally:
    """What is known of the frames labelled so far; indices count these, from 0.

    Attributes:
        num_classes: `C`.
        times: seconds of every frame, as the source has them.
        speakers: who labelled it, see `FrameLog`.
        looks: frames that were looked at a second time.
        cuts: frames at which another scene was found.
        changed: share of pixels whose label differs from the frame before, in [0, 1]; NaN for the
            first frame.
        areas: share of every class, `(C,)` float32 a frame.
        changed_before: as `changed`, of the image model alone, of some frames.
        reliability: mean reliability of what is remembered, in [0, 1], of some frames.
        compared: `(h, w)` int64, in how many pairs of frames a cell could be compared, motion taken
            out, see `changed_labels`; none before a first pair.
        flickered: `(2, h, w)` int64, in how many of them its label changed, of the image model
            alone and of the video model.
        plain: labels of the last frame by the image model alone, `(H, W)`, where that frame or the
            next one is looked at closely.
    """

    num_classes: int
    times: list[float] = field(default_factory=list)
    speakers: list[str] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    changed: list[float] = field(default_factory=list)
    areas: list[np.ndarray] = field(default_factory=list)
    changed_before: dict[int, float] = field(default_factory=dict)
    reliability: dict[int, float] = field(default_factory=dict)
    compared: np.ndarray | None = None
    flickered: np.ndarray | None = None
    plain: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.times)

    def add(
        self,
        time: float,
        labels: Integer[np.ndarray, "H W"],
        before: Integer[np.ndarray, "H W"] | None,
        log: FrameLog,
    ) -> None:
        """Count one more frame.

        Args:
            time: seconds.
            labels: of the frame; `C` and more is no class.
            before: of the frame before; none for the first one.
            log: how it came by them.
        """
        index = len(self)
        self.times.append(time)
        self.speakers.append(log.speaker)
        if log.looked:
            self.looks.append(index)
        if log.cut:
            self.cuts.append(index)
        self.changed.append(float("nan") if before is None else share_changed(before, labels))
        counts = np.bincount(labels.ravel(), minlength=self.num_classes)[: self.num_classes]
        self.areas.append((counts / labels.size).astype(np.float32))

    def add_flicker(
        self, known: Bool[np.ndarray, "h w"], changed: Bool[np.ndarray, "2 h w"]
    ) -> None:
        """Count one more pair of frames; see `changed_labels`."""
        if self.compared is None or self.flickered is None:
            self.compared = np.zeros(known.shape, np.int64)
            self.flickered = np.zeros(changed.shape, np.int64)
        self.compared += known
        self.flickered += changed

    def save(self, path: Path) -> None:
        """Write everything to a file.

        Raises:
            InputError: it cannot be written.
        """
        lists: dict[str, Any] = {
            name: getattr(self, name) for name in ("times", "speakers", "looks", "cuts", "changed")
        }
        # Of JSON's objects keys are text.
        lists |= {name: sorted(getattr(self, name).items()) for name in _MAPPINGS}
        arrays: dict[str, Any] = {
            "areas": np.array(self.areas, np.float32).reshape(len(self), self.num_classes)
        }
        known = {name: getattr(self, name) for name in _MAPS}
        arrays |= {name: map_ for name, map_ in known.items() if map_ is not None}
        file = io.BytesIO()
        np.savez(file, lists=np.array(json.dumps(lists)), **arrays)
        write_files({path: file.getvalue()})

    @classmethod
    def load(cls, path: Path) -> "Tally":
        """Read what `save` wrote.

        Raises:
            CheckpointError: it is missing or broken.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                lists: dict[str, Any] = json.loads(str(stored["lists"]))
                areas = stored["areas"]
                values: dict[str, Any] = {name: stored.get(name) for name in _MAPS}
            for name in _MAPPINGS:
                values[name] = {int(key): float(value) for key, value in lists.pop(name)}
        # A broken file is an error of the archive, of the format or of what is in it.
        except Exception as error:
            raise CheckpointError(f"{path} is missing or broken: {error}") from error
        return cls(areas.shape[1], areas=list(areas), **lists, **values)


_MAPPINGS = ("changed_before", "reliability")
_MAPS = ("compared", "flickered", "plain")


def share_changed(before: Integer[np.ndarray, "H W"], after: Integer[np.ndarray, "H W"]) -> float:
    """Share of pixels whose labels differ, in [0, 1]."""
    return float(np.count_nonzero(before != after) / after.size)


def mean_of(values: Sequence[float]) -> float | None:
    """Mean of those that are numbers; none if none is."""
    known = [value for value in values if value == value]
    return sum(known) / len(known) if known else None
