"""The model card, with the held-out scores."""

import argparse

import numpy as np
from torch import nn

from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from examples.train_demo_segformer.model import predict
from examples.train_demo_segformer.scenes import held_out_scenes
from examples.train_demo_segformer.scores import class_iou, flicker, mean_iou

CARD = """\
---
license: apache-2.0
library_name: transformers
pipeline_tag: image-segmentation
---

# Demo SegFormer

A SegFormer of {parameters:,} parameters for the nine classes of `ditta_adapt.demo.scenes`, for
demonstrations and tests of ditta-adapt. It is not for real images.

- **Data:** procedural street scenes from `ditta_adapt.demo.scenes`, nothing else.
- **Training:** from scratch on a CPU with
  `python -m examples.train_demo_segformer --out {folder} --steps {steps} --batch {batch}
  --lr {lr} --seed {seed}`. The augmentation is flip, crop, scale and mild colour jitter; the
  training images have no noise, blur or exposure change.
- **Input:** RGB in [0, 1] of any size, normalised as `preprocessor_config.json` says.
- **Weights:** float16, to be loaded into a float32 model.
- **Licence:** Apache-2.0.

## Scores

All scenes and videos below have seeds that training does not use. mIoU is the mean over the classes
that occur, over all pixels of the set. A label change is a pixel whose label differs from the frame
before, as a share of all pixels.

{scores}
"""


def score(model: nn.Module, size: tuple[int, int], held_out: int, videos: list[int]) -> str:
    """The held-out scores, as the Markdown that the model card quotes."""
    images, truth = held_out_scenes(held_out, size)
    found = predict(model, images)
    height, width = size
    lines = [
        f"{held_out} clean scenes at {height}x{width}: mIoU {mean_iou(found, truth):.3f}.",
        "",
        "| " + " | ".join(CLASS_NAMES) + " |",
        "|---" * len(CLASS_NAMES) + "|",
    ]
    cells = ["absent" if iou is None else f"{iou:.3f}" for iou in class_iou(found, truth)]
    lines += ["| " + " | ".join(cells) + " |", ""]
    lines += [
        f"Videos of 60 frames at {height}x{width}; shifted by `shift_frames(frames, seed=seed)`:",
        "",
        "| seed | mIoU clean | mIoU shifted | changes truth | changes clean | changes shifted |",
        "|---|---|---|---|---|---|",
    ]
    rows = []
    for seed in videos:
        frames, labels = render_video(seed, 60, size)
        clean, rough = predict(model, frames), predict(model, shift_frames(frames, seed=seed))
        scores = [mean_iou(clean, labels), mean_iou(rough, labels)]
        scores += [flicker(labels), flicker(clean), flicker(rough)]
        rows.append(scores)
        lines.append(f"| {seed} | " + " | ".join(f"{v:.3f}" for v in scores) + " |")
    if rows:
        mean = np.mean(rows, axis=0)
        lines.append("| mean | " + " | ".join(f"{v:.3f}" for v in mean) + " |")
    return "\n".join(lines)


def write_card(model: nn.Module, args: argparse.Namespace) -> None:
    """Score ``model``, print the scores and write them into the model card."""
    scores = score(model, (args.height, args.width), args.held_out, args.videos)
    print(scores)
    card = CARD.format(
        parameters=sum(p.numel() for p in model.parameters()),
        folder="ditta_adapt/demo/weights",
        steps=args.steps,
        batch=args.batch,
        lr=args.lr,
        seed=args.seed,
        scores=scores,
    )
    (args.out / "README.md").write_text(card, encoding="utf-8")
