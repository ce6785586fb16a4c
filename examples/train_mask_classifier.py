"""Train a classifier of masks (I-SAM2) on generated street scenes, and score it on held-out ones.

    python -m examples.train_mask_classifier --out masks.safetensors

The propagator follows masks through every training video; features inside them and the true labels
are what the classifier learns from. With SAM2 as propagator the features are SAM2's own, with
optical flow the image model's. For your own data, put your videos in place of `training_videos`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ditta_adapt.baselines import Method
from ditta_adapt.baselines.image_model import ImageModel
from ditta_adapt.baselines.mask_classification import MaskClassification
from ditta_adapt.baselines.mask_classifier_training import train_mask_classifier
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.metrics import SegmentationScore

Images = npt.NDArray[np.uint8]
# Far from the seeds that the demo shows, and from those its model was trained on.
FIRST_TRAINING_SEED, FIRST_HELD_OUT_SEED = 700_000, 800_000


def training_videos(count: int, length: int) -> Iterator[tuple[Images, Images]]:
    """Frames `(T, H, W, 3)` and labels `(T, H, W)` of fresh scenes."""
    for seed in range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + count):
        yield render_video(seed=seed, num_frames=length)


def miou(method: Method, count: int, length: int) -> float:
    """Of a method on held-out videos, from their first frame on."""
    score = SegmentationScore(len(CLASS_NAMES))
    for seed in range(FIRST_HELD_OUT_SEED, FIRST_HELD_OUT_SEED + count):
        method.reset()
        for frame, truth in zip(*render_video(seed=seed, num_frames=length), strict=True):
            score.update(method(frame), truth)
    return float(score.miou())


def main() -> None:
    """Train, save, score."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--propagator", default="flow", help="registered name: flow, sam2, sam2-hf")
    parser.add_argument("--videos", type=int, default=12, help="to train on")
    parser.add_argument("--held-out", type=int, default=4, help="videos to score on")
    parser.add_argument("--frames", type=int, default=8, help="of each video")
    parser.add_argument("--points", type=int, default=16, help="prompts per side of the frame")
    args = parser.parse_args()
    model, points = load_demo_model(), args.points
    classifier = train_mask_classifier(
        training_videos(args.videos, args.frames),
        model,
        args.propagator,
        len(CLASS_NAMES),
        points_per_side=points,
    )
    classifier.save(args.out)
    print(f"{args.out}: trained on features of the {classifier.source}")
    methods: dict[str, Method] = {"image model": ImageModel(model)}
    for name, base in (("masks alone", False), ("masks over the image model", True)):
        methods[name] = MaskClassification(
            model, args.propagator, classifier, base=base, points_per_side=points
        )
    for name, method in methods.items():
        print(f"{name:28s} mIoU {100 * miou(method, args.held_out, args.frames):.1f}")


if __name__ == "__main__":
    main()
