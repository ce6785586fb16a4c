"""What a report tells of one video: numbers a frame, pictures of some frames, settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A class that is shown.

    Attributes:
        name: of the class.
        colour: `#rrggbb`, as in the pictures.
        index: in the model, from 0.
    """

    name: str
    colour: str
    index: int


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame that can be looked at; all pictures are of one size.

    Attributes:
        index: of the frame among those that were labelled, from 0.
        frame: JPEG file.
        before: labels of the image model alone, a PNG file in the colours of the legend; pixels of
            classes that are not shown are transparent.
        after: likewise, of the video model.
    """

    index: int
    frame: bytes
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Taught:
    """A frame of the warm-up and what the teacher says of it.

    Attributes:
        index: see `Sample`.
        frame: JPEG file.
        labels: PNG file like those of a sample; transparent where the teacher says nothing.
    """

    index: int
    frame: bytes
    labels: bytes


@dataclass(frozen=True, slots=True)
class Story:
    """All that a report shows.

    Attributes:
        title: name of the video.
        verdict: what was decided, in one sentence.
        evidence: what it rests on, and what else the reader is to know, such as a damaged file.
        legend: the classes that occur.
        times: seconds at which each labelled frame is shown, from 0, increasing; `T` of them.
        warmup: so many frames were adapted to, from the first one on.
        speakers: who labelled each frame: `"adapted"`, `"memory"` or `"image model"`; `T`.
        looks: indices of frames that the frozen model looked at a second time.
        cuts: indices of frames at which another scene began, or the first one came back.
        changed: share of pixels whose label differs from that of the frame before, in [0, 1]; `T`,
            NaN for the first frame.
        changed_before: the same of the image model alone, by index of some frames.
        changed_after: the same as `changed`, at the same frames.
        reliability: mean reliability of what was said, in [0, 1], by index of some frames.
        areas: share of each class of the legend in every frame, `(T, len(legend))`.
        flicker_before: how often the label of a pixel differs from that of the frame before,
            motion taken out, in [0, 1], of the image model alone, `(h, w)`; none where no two
            frames could be compared.
        flicker_after: likewise, of the video model.
        samples: frames to be looked at, in order.
        taught: what the teacher saw, in order; empty where nothing was learned.
        facts: name and value of settings, versions, times and costs, by heading.
    """

    title: str
    verdict: str
    evidence: Sequence[str]
    legend: Sequence[LegendEntry]
    times: Sequence[float]
    warmup: int
    speakers: Sequence[str]
    changed: Sequence[float]
    areas: Float64[np.ndarray, "T K"]
    looks: Sequence[int] = ()
    cuts: Sequence[int] = ()
    changed_before: Mapping[int, float] = field(default_factory=dict)
    changed_after: Mapping[int, float] = field(default_factory=dict)
    reliability: Mapping[int, float] = field(default_factory=dict)
    flicker_before: Float32[np.ndarray, "h w"] | None = None
    flicker_after: Float32[np.ndarray, "h w"] | None = None
    samples: Sequence[Sample] = ()
    taught: Sequence[Taught] = ()
    facts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
