"""A story of a generated street scene, as a run would tell it, and the least there can be."""

from io import BytesIO

import numpy as np
from PIL import Image

from ditta_adapt.demo.scenes import CLASS_NAMES, PALETTE, render_video
from ditta_adapt.reporting.overview import OverviewRow, render_overview
from ditta_adapt.reporting.story import LegendEntry, Sample, Story, Taught

WARMUP = 8
SIZE = (192, 320)


def street_story(frames: int = 24, *, size: tuple[int, int] = SIZE, title: str = "Street") -> Story:
    """A video of which the image model flickers, and the video model less."""
    video, truth = render_video(3, frames, size)
    generator = np.random.default_rng(0)
    before = np.stack([_mistaken(labels, 14, generator) for labels in truth])
    after = np.stack([_mistaken(labels, 3, generator) for labels in truth])
    known = range(1, frames, 3)
    return Story(
        title=title,
        verdict="The adapted model speaks: second looks agree with it more than with your model.",
        evidence=[
            "After the warm-up, second looks agreed with the adapted model at 9 of 11 frames.",
            "Held-out warm-up frames were labelled 3.2 % better after learning than before.",
            "The file ends early: its last 2 frames could not be read.",
        ],
        legend=[
            LegendEntry(name, "#" + bytes(colour).hex(), index)
            for index, (name, colour) in enumerate(zip(CLASS_NAMES, PALETTE, strict=True))
        ],
        times=[index / 12 for index in range(frames)],
        warmup=min(WARMUP, frames),
        speakers=[_speaker(index) for index in range(frames)],
        looks=list(range(WARMUP, frames, 4)),
        cuts=[index for index in (18,) if index < frames],
        changed=_changed(after),
        changed_before={index: _changed(before)[index] for index in known},
        changed_after={index: _changed(after)[index] for index in known},
        reliability={index: float(generator.uniform(0.86, 0.97)) for index in range(frames)},
        areas=np.stack([(after == c).mean(axis=(1, 2)) for c in range(len(CLASS_NAMES))], axis=1),
        flicker_before=_flicker(before),
        flicker_after=_flicker(after),
        samples=[
            Sample(i, jpeg(video[i]), png(before[i]), png(after[i])) for i in range(0, frames, 3)
        ],
        taught=[Taught(i, jpeg(video[i]), png(truth[i])) for i in range(min(WARMUP, frames))],
        facts={
            "Settings": {"propagator": "optical flow", "memory": "WarpedVotes(decay=0.85)"},
            "Versions": {"ditta-adapt": "0.9", "torch": "2.13.0", "weights": "sha256 " + "9f" * 32},
            "Times": {"warm-up": "41.2 s", "each frame after it": "0.21 s"},
        },
    )


def least_story() -> Story:
    """One frame of one class, and nothing else."""
    return Story(
        title="One",
        verdict="Nothing was learned.",
        evidence=[],
        legend=[LegendEntry("road", "#804080", 0)],
        times=[0.0],
        warmup=0,
        speakers=["image model"],
        changed=[float("nan")],
        areas=np.ones((1, 1)),
    )


def jpeg(frame: np.ndarray) -> bytes:
    """A frame `(H, W, 3)` uint8 as a file."""
    file = BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=85)
    return file.getvalue()


def png(labels: np.ndarray) -> bytes:
    """Labels `(H, W)` as a file, in their colours."""
    picture = Image.fromarray(labels.astype(np.uint8))
    picture.putpalette(PALETTE.tobytes())
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def _mistaken(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """The same with small boxes of wrong labels."""
    wrong, (height, width) = labels.copy(), labels.shape
    for _ in range(count):
        y, x = generator.integers(height), generator.integers(width)
        wrong[y : y + height // 12, x : x + width // 12] = generator.integers(len(CLASS_NAMES))
    return wrong


def _changed(labels: np.ndarray) -> list[float]:
    return [float("nan"), *(labels[1:] != labels[:-1]).mean(axis=(1, 2)).tolist()]


def _flicker(labels: np.ndarray) -> np.ndarray | None:
    if len(labels) < 2:
        return None
    return (labels[1:] != labels[:-1]).mean(axis=0, dtype=np.float32)


def _speaker(index: int) -> str:
    return "image model" if index < WARMUP + 2 else "memory" if index < WARMUP + 5 else "adapted"


def overview_page() -> str:
    """Of four videos: one failed, one flickers more, two are fine."""
    rows = [
        OverviewRow("broken", "failed", "it is no video"),
        OverviewRow("b 10", "done", "less steady", 100, 12.5, 0.02, 0.03, page=True),
        OverviewRow("a", "done", "", 1000, 9.0, 0.02, 0.01, page=True),
        OverviewRow("b 9", "done", "", 20, 101.0, 0.3, 0.2, page=True),
    ]
    return render_overview("fleet", "3 of 4 videos are done; 1 set aside.\n  broken", rows)
