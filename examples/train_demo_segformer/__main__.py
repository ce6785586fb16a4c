"""Train the small SegFormer of the demo on procedural scenes, from scratch, on a CPU.

Every training image is a fresh scene with light augmentation (flip, crop and scale, mild colour
jitter). Noise, blur and exposure drift are left out on purpose, so that the demo's shift is new to
the model. The result is a weights folder that `ditta_adapt.demo.model.load_demo_model` reads.
"""

import argparse
from pathlib import Path

import cv2
import torch
from transformers import SegformerForSemanticSegmentation

from examples.train_demo_segformer.card import write_card
from examples.train_demo_segformer.export import save
from examples.train_demo_segformer.training import train


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m examples.train_demo_segformer",
        description=__doc__,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights")
    parser.add_argument("--steps", type=int, default=4500, help="training steps")
    parser.add_argument("--batch", type=int, default=8, help="crops in a step")
    parser.add_argument("--lr", type=float, default=1.2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="seed of the weights and the scenes")
    parser.add_argument("--height", type=int, default=192, help="height of a scene")
    parser.add_argument("--width", type=int, default=320, help="width of a scene")
    parser.add_argument("--crop-height", type=int, default=160, help="height of a training crop")
    parser.add_argument("--crop-width", type=int, default=224, help="width of a training crop")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads of PyTorch")
    parser.add_argument("--held-out", type=int, default=100, help="held-out scenes to score")
    parser.add_argument("--report", type=int, default=500, help="steps between scores")
    parser.add_argument(
        "--videos", type=int, nargs="*", default=[1, 2, 3, 4, 5, 6], help="held-out video seeds"
    )
    parser.add_argument(
        "--score-only", action="store_true", help="score the weights in --out, write their card"
    )
    return parser.parse_args()


def main() -> None:
    """Train and save, then score the saved weights and write their card."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    # Also before the loader forks: OpenCV's own threads do not survive a fork.
    cv2.setNumThreads(0)
    if not args.score_only:
        save(train(args), args.out)
    # The file is scored, not the model in memory, for its float16 weights are what ships.
    shipped = SegformerForSemanticSegmentation.from_pretrained(
        args.out, dtype=torch.float32, local_files_only=True
    )
    write_card(shipped, args)


if __name__ == "__main__":
    main()
