"""The pictures of the page on concepts: the shipped model on a generated scene.

python -m tools.draw_concepts [FOLDER]
"""

import io
import sys
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ditta_adapt import AdaptConfig, Propagator, Targets, WarmUp, wrap
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import PALETTE, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.build import build_targets
from tools.rooms import ROOT

FOLDER = ROOT / "docs" / "pictures"
SEED, WARMUP, FIRST, SHOWN = 3, 12, 30, 4
_WIDTH = 200
_TITLE, _MARGIN, _GAP, _LETTERS = 20, 104, 4, 15
_COLOURS = 64

Picture = np.ndarray
"""`(H, W, 3)` uint8 RGB."""


def main(folder: Path = FOLDER) -> None:
    """Draw into a folder, and say what was written."""
    folder.mkdir(exist_ok=True)
    for name, picture in draw().items():
        path = folder / f"{name}.png"
        path.write_bytes(as_png(picture))
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def draw() -> dict[str, Picture]:
    """Every picture, by its name."""
    frames = list(shift_frames(render_video(SEED, FIRST + SHOWN)[0], seed=SEED))
    return {"flicker": flicker(frames), "targets": targets(frames[:WARMUP])}


def flicker(frames: Sequence[np.ndarray]) -> Picture:
    """Consecutive frames: as they are, and labelled by the image model and by the video model."""
    model = load_demo_model()
    image_model, video_model = wrap(model), wrap(model)
    video_model.adapt(frames[:WARMUP])
    rows: dict[str, list[Picture]] = {"frame": list(frames[FIRST:])}
    for name, labelling in (("image model", image_model), ("video model", video_model)):
        labels = [labelling(frame).numpy() for frame in frames[WARMUP:]][FIRST - WARMUP - 1 :]
        rows[name] = [PALETTE[one] for one in labels[1:]]
        changed = [now != before for before, now in pairwise(labels)]
        rows[f"{name},\nchanged"] = [np.uint8(255) * one[..., None].repeat(3, 2) for one in changed]
    return grid([f"frame {FIRST + t + 1}" for t in range(SHOWN)], rows)


def targets(frames: Sequence[np.ndarray]) -> Picture:
    """What is learned of a warm-up frame: from votes along optical flow, and from tracked masks."""
    asked: Mapping[str, tuple[str, Literal["dense", "masks"]]] = {
        "votes,\noptical flow": ("flow", "dense"),
        "masks,\nsam2-small": ("sam2-small", "masks"),
    }
    rows = {}
    for title, (propagator, words) in asked.items():
        kept, config = _Kept(), AdaptConfig(targets=words)
        wrap(load_demo_model(), propagator=propagator, config=config, target_builder=kept).adapt(
            frames
        )
        rows[title] = kept.shown(t=WARMUP // 2)
    return grid(["frame", "the image model says", "what is learned", "how far it is trusted"], rows)


class _Kept:
    """The built-in targets, kept so that they can be shown."""

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        self.warm_up = warm_up
        self.targets = build_targets(propagator, warm_up, config, progress)
        return self.targets

    def shown(self, t: int) -> list[Picture]:
        """Frame, labels of the image model, targets, and trust as brightness."""
        size = self.warm_up.size
        said = self.warm_up.logits(t)[0].argmax(0).numpy()
        labels = PALETTE[self.targets.labels[t].numpy()]
        trust = (255 * self.targets.confidence[t]).to(torch.uint8).numpy()
        pictures = [self.warm_up.video[t].numpy(), PALETTE[said], labels]
        pictures.append(trust[..., None].repeat(3, 2))
        return [_scaled(one, size, Image.Resampling.NEAREST) for one in pictures]


def grid(titles: Sequence[str], rows: dict[str, list[Picture]]) -> Picture:
    """Pictures in rows, with titles above and to the left of them."""
    height, width = next(iter(rows.values()))[0].shape[:2]
    cell = round(_WIDTH * height / width), _WIDTH
    size = (
        _MARGIN + len(titles) * (_WIDTH + _GAP) - _GAP,
        _TITLE + len(rows) * (cell[0] + _GAP) - _GAP,
    )
    page = Image.new("RGB", size, "white")
    pen, font = ImageDraw.Draw(page), ImageFont.load_default(_LETTERS)
    for column, title in enumerate(titles):
        pen.text((_MARGIN + column * (_WIDTH + _GAP), 1), title, fill="black", font=font)
    for row, (name, pictures) in enumerate(rows.items()):
        top = _TITLE + row * (cell[0] + _GAP)
        pen.text((2, top), name, fill="black", font=font)
        for column, picture in enumerate(pictures):
            scaled = _scaled(picture, cell, Image.Resampling.BOX)
            page.paste(Image.fromarray(scaled), (_MARGIN + column * (_WIDTH + _GAP), top))
    return np.asarray(page)


def as_png(picture: Picture) -> bytes:
    """A file of few colours, so that it stays small."""
    file = io.BytesIO()
    image = Image.fromarray(picture).quantize(_COLOURS, dither=Image.Dither.NONE)
    image.save(file, format="png", optimize=True)
    return file.getvalue()


def _scaled(picture: Picture, size: tuple[int, int], how: Image.Resampling) -> Picture:
    return np.asarray(Image.fromarray(picture).resize(size[::-1], how))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
