"""The demo's generated, shifted videos as a data set, so that every evaluation runs anywhere."""

from pathlib import Path

from ditta_adapt.datasets.labelled_video import LabelledVideo, VideoDataset
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.errors import InputError

FIRST_SEED = 3


def open_demo(root: Path = Path(), *, videos: int = 8, frames: int = 60) -> VideoDataset:
    """Street scenes with exact labels, spoiled by noise, motion blur and exposure drift.

    The shipped SegFormer, `demo`, knows their classes and was trained without the shift. Video
    `seed-3` is that of `ditta-adapt demo`.

    Args:
        root: not read.
        videos: how many.
        frames: of each.

    Raises:
        InputError: a number under 1.
    """
    if videos < 1 or frames < 1:
        raise InputError(f"videos is {videos} and frames {frames}; expected at least 1 of each.")
    # Imported here: drawing needs OpenCV.
    from ditta_adapt.demo.scenes import CLASS_NAMES, PALETTE, render_video
    from ditta_adapt.demo.shift import shift_frames

    def open_video(name: str) -> LabelledVideo:
        seed = int(name.removeprefix("seed-"))
        clean, labels = render_video(seed, frames)
        return LabelledVideo(name, list(shift_frames(clean, seed=seed)), list(labels))

    names = [f"seed-{FIRST_SEED + index}" for index in range(videos)]
    return ListedDataset("demo", names, open_video, class_names=CLASS_NAMES, palette=PALETTE)
