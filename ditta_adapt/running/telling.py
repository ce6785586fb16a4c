"""From the numbers of a run to its reports: one for programs, one to be looked at."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ditta_adapt.reporting.palette import hex_colour
from ditta_adapt.reporting.story import LegendEntry, Sample, Story, Taught
from ditta_adapt.running.classes import Classes
from ditta_adapt.running.sampling import Sampling
from ditta_adapt.running.tally import Tally, mean_of
from ditta_adapt.running.work_folder import WorkFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What reports are made of.

    Attributes:
        name: of the video.
        size: `(H, W)` of its frames.
        warmup: frames that were adapted to.
        tally: numbers a frame.
        classes: of the model.
        sampling: frames that were looked at closely.
        adaptation: the `AdaptationReport`, as a dictionary; none where nothing was adapted to.
        notes: what the user is to know of the video and the results.
        seconds: wall time by stage.
        settings: what was asked, by name.
        versions: of the libraries the numbers depend on.
    """

    name: str
    size: tuple[int, int]
    warmup: int
    tally: Tally
    classes: Classes
    sampling: Sampling
    adaptation: Mapping[str, Any] | None
    notes: Sequence[str]
    seconds: Mapping[str, float]
    settings: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def pairs(self) -> list[int]:
        """Frames that can be compared with the image model's, and with the frame before."""
        return sorted(self.tally.changed_before)

    def changed(self) -> tuple[float | None, float | None]:
        """Mean share of pixels that change at `pairs`: of the image model, of the video model."""
        before = mean_of(list(self.tally.changed_before.values()))
        return before, mean_of([self.tally.changed[index] for index in self.pairs])

    def flicker(self) -> list[np.ndarray]:
        """Flicker maps of the image model and of the video model; empty without any pair."""
        tally = self.tally
        if tally.compared is None or tally.flickered is None:
            return []
        share = tally.flickered / np.maximum(tally.compared, 1)
        return list(share.astype(np.float32))

    def mean_flicker(self) -> list[float]:
        """Share of comparisons in which a label changed, motion taken out; likewise."""
        tally = self.tally
        if tally.compared is None or tally.flickered is None or not tally.compared.any():
            return []
        total = tally.compared.sum()
        return [float(counts.sum() / total) for counts in tally.flickered]


def report_of_run(told: Told) -> dict[str, Any]:
    """The report for programs; only what is under `seconds` differs from run to run."""
    tally, (before, after) = told.tally, told.changed()
    flicker, shares = told.mean_flicker(), np.mean(tally.areas, axis=0)
    return {
        "video": told.name,
        "frames": len(tally),
        "size": list(told.size),
        "warmup_frames": told.warmup,
        "verdict": verdict(told),
        "notes": list(told.notes),
        "frames_by_speaker": dict(sorted(Counter(tally.speakers).items())),
        "looks": tally.looks,
        "cuts": tally.cuts,
        "pixels_changing": {
            "image_model": before,
            "video_model": after,
            "video_model_all_frames": mean_of(tally.changed),
        },
        "flicker": dict(zip(("image_model", "video_model"), flicker, strict=False)),
        "reliability": mean_of(list(tally.reliability.values())),
        "classes": [
            {"index": k, "name": told.classes.names[k], "share": float(shares[k])}
            for k in occurring(told)
        ],
        "adaptation": None if told.adaptation is None else dict(told.adaptation),
        "versions": dict(told.versions),
        "seconds": dict(told.seconds),
    }


def verdict(told: Told) -> str:
    """What came of it, in a sentence."""
    before, after = told.changed()
    steady = "Every frame has its labels"
    if before is not None and after is not None:
        steady = (
            f"From one frame to the next {after:.1%} of the pixels change their label; with the "
            f"image model alone it is {before:.1%}"
        )
    return f"{steady}. {_sentence(who_spoke(told.tally.speakers))}"


def who_spoke(speakers: Sequence[str]) -> str:
    """How many frames each candidate labelled, in words."""
    names = {
        "adapted": "the adapted model",
        "memory": "the image model with a memory",
        "image model": "the image model alone",
    }
    (first, count), *rest = Counter(speakers).most_common()
    words = [f"{names[first]} labelled {count} of {len(speakers)} frames"]
    return ", ".join([*words, *(f"{names[name]} {count}" for name, count in rest)])


def occurring(told: Told) -> list[int]:
    """Classes that some pixel is of, the most frequent first."""
    shares = np.sum(told.tally.areas, axis=0)
    return [int(k) for k in np.argsort(-shares, kind="stable") if shares[k] > 0]


def story_of_run(told: Told, work: WorkFolder) -> Story:
    """The report to be looked at, with the pictures that were kept for it."""
    tally, shown = told.tally, occurring(told)
    flicker = told.flicker()
    return Story(
        title=told.name,
        verdict=verdict(told),
        evidence=evidence(told),
        legend=[
            LegendEntry(told.classes.names[k], hex_colour(told.classes.palette[k]), k)
            for k in shown
        ],
        times=[time - tally.times[0] for time in tally.times],
        warmup=told.warmup,
        speakers=tally.speakers,
        looks=tally.looks,
        cuts=tally.cuts,
        changed=tally.changed,
        changed_before=tally.changed_before,
        changed_after={index: tally.changed[index] for index in told.pairs},
        reliability=tally.reliability,
        areas=np.array(tally.areas, dtype=np.float64)[:, shown],
        flicker_before=flicker[0] if flicker else None,
        flicker_after=flicker[1] if flicker else None,
        samples=[
            Sample(index, *(work.picture(index, kind).read_bytes() for kind in _SAMPLED))
            for index in told.sampling.taken
        ],
        taught=[
            Taught(index, *(work.picture(index, kind).read_bytes() for kind in _TAUGHT))
            for index in work.pictured("taught")
        ],
        facts=_facts(told),
    )


_SAMPLED = ("frame", "before", "after")
_TAUGHT = ("warmup", "taught")


def evidence(told: Told) -> list[str]:
    """What the verdict rests on, and what else is to be known."""
    found: list[str] = []
    if told.adaptation is not None:
        found.append(_sentence(told.adaptation["reason"]))
    flicker = told.mean_flicker()
    if flicker:
        found.append(
            f"With motion taken out, {flicker[1]:.2%} of labels change from frame to frame; of the "
            f"image model alone, {flicker[0]:.2%} (on {len(told.pairs)} pairs of frames)."
        )
    if told.tally.looks:
        found.append(f"The image model looked at {len(told.tally.looks)} frames a second time.")
    if told.tally.cuts:
        found.append(f"Another scene was found at {len(told.tally.cuts)} frames.")
    return [*found, *map(_sentence, told.notes)]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def _facts(told: Told) -> dict[str, dict[str, str]]:
    height, width = told.size
    video = {
        "frames": f"{len(told.tally)}, {width} x {height} pixels",
        "warm-up": f"{told.warmup} frames",
    }
    seconds = {stage: f"{value:.1f} s" for stage, value in told.seconds.items()}
    return {
        "Video": video,
        "Settings": dict(told.settings),
        "Time": seconds,
        "Versions": dict(told.versions),
    }
