"""A model of mmsegmentation, from its config and checkpoint, as a video model.

    python examples/mmsegmentation_model.py ocrnet_hr18.py ocrnet_hr18.pth --video clip.mp4

Any `EncoderDecoder` will do, a cascade too. It is run as mmsegmentation's own inference runs it, a
sliding window included; images are prepared as its `data_preprocessor` says.
"""

import argparse
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from ditta_adapt import Frame, wrap
from ditta_adapt.demo.scenes import render_video
from ditta_adapt.io import read_video


def load_model(config: Path, checkpoint: Path, device: str = "cpu") -> Any:
    """The model, in eval mode. The file is unpickled: load what you trust."""
    from mmseg.apis import init_model

    model = init_model(str(config), device=device)
    # By hand: checkpoints hold more than weights, which mmengine's loader has torch refuse.
    stored = torch.load(checkpoint, map_location=device, weights_only=False)
    model.load_state_dict(stored["state_dict"])
    return model


def generated_street() -> Iterable[Frame]:
    """A clip to begin with."""
    return render_video(seed=3, num_frames=12)[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Load, adapt to the first frames, stream the rest."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("config", type=Path, help="config of mmsegmentation, a .py file")
    parser.add_argument("checkpoint", type=Path, help="its weights, a .pth file")
    parser.add_argument("--video", type=Path, help="a file; by default a generated street")
    parser.add_argument("--warmup", type=int, default=8, help="frames to adapt to")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args(arguments)
    model = load_model(options.config, options.checkpoint, options.device)
    # On its device before it is wrapped.
    video_model = wrap(model)
    frames = iter(read_video(options.video) if options.video else generated_street())
    video_model.adapt(islice(frames, options.warmup))
    print(video_model.report)
    for frame in frames:
        video_model(frame)
    print(video_model)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
