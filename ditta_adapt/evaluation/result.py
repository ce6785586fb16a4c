"""What one method did on one video: raw counts, from which every table is pooled."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.evaluation.confusions import from_cells, to_cells
from ditta_adapt.evaluation.scores import EXTRAS


@dataclass(frozen=True, slots=True)
class Case:
    """What is run: one method on one video under one condition.

    Attributes:
        method: its name.
        warmup: what is adapted to, as `show_warmup` has it: `"10%"` or `"8 frames"`.
        corruption: such as `"contrast:high"`, or `""` for the video as it is.
        video: its name.
    """

    method: str
    warmup: str
    corruption: str
    video: str


@dataclass(frozen=True, slots=True)
class VideoResult:
    """Counts of one case; they add up over videos.

    Attributes:
        case: what was run.
        frames: how many frames were labelled and timed.
        confusion: `(C, C)` int64, pixels by `[target, prediction]`.
        consistency: scores of the windows of mVC, by window; empty where a scored frame has no
            true labels.
        extras: what was counted for scores beyond the usual, by the keys of `EXTRAS`.
        changed: share of pixels whose label changes from one frame to the next, mean over pairs
            of frames; NaN with fewer than two. It needs no true labels.
        adapt_seconds: wall time of adaptation.
        stream_seconds: wall time of labelling the `frames`, reading them from disk left out.
        note: what the method said about its adaptation, in its own words; then `unread`.
        unread: what of the video could not be read and was left out, or `""`.
        error: why the video failed, or `""`. A failed video has no counts.
    """

    case: Case
    frames: int = 0
    confusion: Int64[Tensor, "C C"] = field(
        default_factory=lambda: torch.zeros(0, 0, dtype=torch.int64, device="cpu")
    )
    consistency: Mapping[int, list[float]] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)
    changed: float = math.nan
    adapt_seconds: float = 0.0
    stream_seconds: float = 0.0
    note: str = ""
    unread: str = ""
    error: str = ""

    def to_dict(self) -> dict[str, Any]:
        """All fields, as values that JSON can hold; of the confusion only what is not 0."""
        return {
            "method": self.case.method,
            "warmup": self.case.warmup,
            "corruption": self.case.corruption,
            "video": self.case.video,
            "frames": self.frames,
            "classes": len(self.confusion),
            "confusion": to_cells(self.confusion),
            "consistency": {str(window): scores for window, scores in self.consistency.items()},
            "extras": dict(self.extras),
            "changed": None if math.isnan(self.changed) else self.changed,
            "adapt_seconds": self.adapt_seconds,
            "stream_seconds": self.stream_seconds,
            "note": self.note,
            "unread": self.unread,
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "VideoResult":
        """Inverse of `to_dict`.

        Raises:
            InputError: a field is missing or holds something else.
        """
        try:
            confusion = from_cells(values["confusion"], int(values["classes"]))
            consistency = {int(k): list(map(float, v)) for k, v in values["consistency"].items()}
            # Those along borders had a field of their own, before there were others.
            extras = {**values.get("boundary", {}), **values.get("extras", {})}
            for key, counts in extras.items():
                # What cannot be pooled is refused here, not when the table is made.
                EXTRAS[key].pooled([counts])
            return cls(
                case=Case(
                    str(values["method"]),
                    str(values["warmup"]),
                    str(values["corruption"]),
                    str(values["video"]),
                ),
                frames=int(values["frames"]),
                confusion=confusion,
                consistency=consistency,
                extras=extras,
                changed=math.nan if values["changed"] is None else float(values["changed"]),
                adapt_seconds=float(values["adapt_seconds"]),
                stream_seconds=float(values["stream_seconds"]),
                note=str(values["note"]),
                # Not there before such videos had results.
                unread=str(values.get("unread", "")),
                error=str(values["error"]),
            )
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise InputError(f"not the result of a video: {error!r}.") from error
