"""Keep what was adapted, and go on with it later: in another program, or after a restart.

    python examples/save_and_load.py --folder saved

Two things can be kept. The adapted decoder alone is for another clip of the same scene. With
`state=True` what is remembered of the video is kept, too, so that streaming goes on with the next
frame exactly as if nothing had happened.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from ditta_adapt import wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import render_video


def main(arguments: Sequence[str] | None = None) -> int:
    """Adapt, save in both ways, load in both ways, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=Path("saved"), help="where to write")
    folder = parser.parse_args(arguments).folder
    frames, _ = render_video(seed=3, num_frames=14)
    video_model = wrap(load_demo_model())
    print(video_model.adapt(frames[:8]))
    for frame in frames[8:10]:
        video_model(frame)
    video_model.save_pretrained(folder / "decoder")
    video_model.save_pretrained(folder / "stream", state=True)

    # What was saved belongs to its image model: load it into a fresh one with the same weights.
    restarted = wrap(load_demo_model()).load_pretrained(folder / "stream")
    for frame in frames[10:]:
        assert torch.equal(restarted(frame), video_model(frame))
    print(f"{folder / 'stream'}: went on with frame 10, with the same labels")

    another_clip = wrap(load_demo_model()).load_pretrained(folder / "decoder")
    assert another_clip.state is None  # Nothing is remembered, so any clip may follow.
    for frame in frames:
        another_clip(frame)
    print(f"{folder / 'decoder'}: {another_clip}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
