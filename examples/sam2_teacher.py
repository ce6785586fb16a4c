"""Adapt to masks that SAM2 follows through the video, in place of optical flow.

    python examples/sam2_teacher.py
    python examples/sam2_teacher.py --weights facebook/sam2.1-hiera-large --video clip.mp4

By default the small SAM2 that ships with the package, which is for demonstrations; with --weights
a checkpoint of the hub, or its folder. SAM2 runs while adapting alone: streaming costs none of it.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from ditta_adapt import DittaError, Frame, wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.io import read_video


def generated_street() -> Iterable[Frame]:
    """A clip to begin with."""
    return render_video(seed=3, num_frames=12)[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Adapt, say which objects were followed, and stream the rest."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--weights", help="hub id or folder of a SAM2 in transformers' format")
    parser.add_argument("--video", type=Path, help="a file; by default a generated street")
    parser.add_argument("--warmup", type=int, default=8, help="frames to adapt to")
    options = parser.parse_args(arguments)
    # A registered name, which is loaded when it is first needed.
    teacher = f"sam2-hf:{options.weights}" if options.weights else "sam2-small"
    video_model = wrap(load_demo_model(), propagator=teacher)
    try:
        frames = iter(read_video(options.video) if options.video else generated_street())
        report = video_model.adapt(islice(frames, options.warmup))
        print(report)
        for number, count in sorted(report.classes.items()):
            print(f"{count:4d} followed as {CLASS_NAMES[number]}")
        for frame in frames:
            video_model(frame)
    except DittaError as error:
        print(f"sam2_teacher: {error}", file=sys.stderr)
        return 1
    print(f"now speaks: {video_model.speaker}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
