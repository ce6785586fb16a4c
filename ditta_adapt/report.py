"""What an adaptation did, for people and for files."""

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ditta_adapt.config import AdaptConfig
from ditta_adapt.io.files import as_path, write_files
from ditta_adapt.models.parameters import weight_hash
from ditta_adapt.models.segmenter import Segmenter
from ditta_adapt.safety.guarded_training import Trained
from ditta_adapt.safety.verdict import Verdict
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.version import __version__


def library_versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    return {
        "ditta_adapt": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True, slots=True)
class AdaptationReport:
    """What `VideoSegmenter.adapt` did.

    Attributes:
        adapted: whether the weights changed.
        reason: in plain words, what was done, or why nothing was.
        num_frames: warm-up frames.
        classes: how many followed objects got each class, by class; empty where the propagator
            warped dense votes instead of following objects.
        losses: of every step, by name.
        verdict: whether it was found safe to keep, and by what; none where nothing was decided.
            With second looks these decide, while streaming; see `VideoSegmenter.speaker`.
        look_passes: what second looks at the warm-up cost, in passes of the image model.
        seconds: wall time by stage: `predict`, `look`, `teach`, `adapt`.
        config: the configuration used, seed included, with `"auto"` decided.
        model_hash: SHA-256 of the image model's weights before adaptation.
        propagator: its class.
        versions: of the libraries the numbers depend on.
    """

    adapted: bool
    reason: str
    num_frames: int
    classes: dict[int, int]
    losses: list[dict[str, float]]
    seconds: dict[str, float]
    config: AdaptConfig
    model_hash: str
    propagator: str
    verdict: Verdict | None = None
    look_passes: float = 0.0
    versions: dict[str, str] = field(default_factory=library_versions)

    def to_dict(self) -> dict[str, Any]:
        """All fields, as values that JSON can hold."""
        return asdict(self) | {"config": self.config.to_dict()}

    def save(self, path: str | Path) -> None:
        """Write the report as JSON.

        Raises:
            InputError: it cannot be written.
        """
        write_files({as_path(path): json.dumps(self.to_dict(), indent=2) + "\n"})

    def _repr_html_(self) -> str:
        """What notebooks show: the reason, and numbers in a table."""
        rows = {"warm-up frames": f"{self.num_frames}", "propagator": self.propagator}
        if self.losses:
            rows["steps"] = f"{len(self.losses)}"
            rows["loss"] = f"{self.losses[0]['total']:.4f} to {self.losses[-1]['total']:.4f}"
        rows |= {f"seconds to {stage}": f"{value:.1f}" for stage, value in self.seconds.items()}
        cells = "".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())
        return f"<p>{escape(self.reason)}</p><table>{cells}</table>"

    def __str__(self) -> str:
        seconds = ", ".join(f"{stage} {value:.1f} s" for stage, value in self.seconds.items())
        frames = "1 warm-up frame" if self.num_frames == 1 else f"{self.num_frames} warm-up frames"
        return f"{self.reason} ({frames}; {seconds})"


def report_of(
    segmenter: Segmenter,
    propagator: Propagator,
    config: AdaptConfig,
    warm_up: WarmUp,
    targets: Targets,
    trained: Trained,
    seconds: dict[str, float],
    notes: Iterable[str] = (),
) -> AdaptationReport:
    """The report of an adaptation that is done; notes that say something end its reason."""
    reason = ("adapted to " if trained.adapted else "not adapted: ") + targets.source
    if trained.verdict is not None:
        reason += f"; {trained.verdict.reason}"
    for note in filter(None, notes):
        reason += f"; {note}"
    return AdaptationReport(
        adapted=trained.adapted,
        reason=reason,
        num_frames=len(warm_up.frames),
        classes=targets.classes,
        losses=trained.losses,
        seconds=seconds,
        config=config,
        model_hash=weight_hash(segmenter),
        propagator=type(propagator).__name__,
        verdict=trained.verdict,
        look_passes=warm_up.look_passes,
    )
