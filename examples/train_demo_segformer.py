"""Train the small SegFormer of the demo on procedural scenes, from scratch, on a CPU.

Every training image is a fresh scene with light augmentation (flip, crop and scale, mild colour
jitter). Noise, blur and exposure drift are left out on purpose, so that the demo's shift is new to
the model. The result is a weights folder that `ditta_adapt.demo.model.load_demo_model` reads.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from ditta_adapt.demo.scenes import CLASS_NAMES, render_scene, render_video
from ditta_adapt.demo.shift import shift_frames

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
# Training scenes start here, so that small seeds stay free for held-out scenes and videos.
FIRST_TRAINING_SEED = 1_000_000
FIRST_HELD_OUT_SEED = 500_000


def build_config() -> SegformerConfig:
    """A SegFormer with about a quarter of the width of MiT-b0's last stages."""
    return SegformerConfig(
        depths=[2, 2, 2, 2],
        hidden_sizes=[16, 32, 80, 128],
        num_attention_heads=[1, 2, 4, 8],
        sr_ratios=[8, 4, 2, 1],
        patch_sizes=[7, 3, 3, 3],
        strides=[4, 2, 2, 2],
        mlp_ratios=[4, 4, 4, 4],
        decoder_hidden_size=96,
        drop_path_rate=0.0,
        classifier_dropout_prob=0.0,
        id2label=dict(enumerate(CLASS_NAMES)),
        label2id={name: index for index, name in enumerate(CLASS_NAMES)},
    )


def normalise(images: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) to normalised float32 (B, 3, H, W)."""
    scaled = images.permute(0, 3, 1, 2).float() / 255
    return (scaled - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


class SceneStream(IterableDataset[tuple[Tensor, Tensor]]):
    """Augmented crops of fresh scenes, in an order that depends on the seed alone."""

    def __init__(self, seed: int, count: int, size: tuple[int, int], crop: tuple[int, int]) -> None:
        self.seed, self.count, self.size, self.crop = seed, count, size, crop

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for index in range(self.count):
            rng = np.random.default_rng([self.seed, index])
            first = FIRST_TRAINING_SEED * (1 + self.seed)
            image, labels = render_scene(first + index, self.size)
            image, labels = augment(image, labels, self.crop, rng)
            yield torch.from_numpy(image), torch.from_numpy(labels)


def augment(
    image: npt.NDArray[np.uint8],
    labels: npt.NDArray[np.uint8],
    crop: tuple[int, int],
    rng: np.random.Generator,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Random scale, crop, flip and a mild change of colour."""
    height, width = image.shape[:2]
    least = max(crop[0] / height, crop[1] / width)
    scale = max(least, float(rng.uniform(0.75, 1.4)))
    target = (max(crop[1], round(width * scale)), max(crop[0], round(height * scale)))
    image = np.asarray(cv2.resize(image, target, interpolation=cv2.INTER_LINEAR), np.uint8)
    labels = np.asarray(cv2.resize(labels, target, interpolation=cv2.INTER_NEAREST), np.uint8)
    top = int(rng.integers(target[1] - crop[0] + 1))
    left = int(rng.integers(target[0] - crop[1] + 1))
    image = image[top : top + crop[0], left : left + crop[1]]
    labels = labels[top : top + crop[0], left : left + crop[1]]
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    gain = rng.uniform(0.94, 1.06) * rng.uniform(0.97, 1.03, 3)
    jittered = np.clip(image * gain, 0, 255).astype(np.uint8)
    return jittered, np.ascontiguousarray(labels).astype(np.int64)


def predict(model: nn.Module, frames: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Label maps (T, H, W) of frames (T, H, W, 3), with the logits upsampled bilinearly."""
    found = []
    model.train(False)
    with torch.inference_mode():
        for start in range(0, len(frames), 8):
            batch = torch.from_numpy(frames[start : start + 8])
            logits = model(pixel_values=normalise(batch)).logits
            logits = nn.functional.interpolate(logits, size=frames.shape[1:3], mode="bilinear")
            found.append(logits.argmax(1).numpy())
    return np.concatenate(found)


def class_iou(found: npt.NDArray[np.int64], truth: npt.NDArray[np.uint8]) -> list[float | None]:
    """The IoU of every class over all pixels; None where a class is in neither."""
    count = len(CLASS_NAMES)
    table = np.bincount(truth.ravel().astype(np.int64) * count + found.ravel(), minlength=count**2)
    table = table.reshape(count, count)
    union = table.sum(0) + table.sum(1) - table.diagonal()
    return [float(h / u) if u else None for h, u in zip(table.diagonal(), union, strict=True)]


def mean_iou(found: npt.NDArray[np.int64], truth: npt.NDArray[np.uint8]) -> float:
    """The mean IoU over the classes that occur."""
    return float(np.mean([iou for iou in class_iou(found, truth) if iou is not None]))


def flicker(labels: npt.NDArray[np.int64] | npt.NDArray[np.uint8]) -> float:
    """The share of pixels whose label changes from one frame to the next."""
    return float(np.mean(labels[1:] != labels[:-1]))


def held_out_scenes(
    count: int, size: tuple[int, int]
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """Scenes that no training seed produces."""
    pairs = [render_scene(FIRST_HELD_OUT_SEED + i, size) for i in range(count)]
    return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])


def train(args: argparse.Namespace) -> SegformerForSemanticSegmentation:
    """Train from scratch and return the model, on the CPU and in eval mode."""
    torch.manual_seed(args.seed)
    size, crop = (args.height, args.width), (args.crop_height, args.crop_width)
    model = SegformerForSemanticSegmentation(build_config())
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters", flush=True)
    stream = SceneStream(args.seed, args.steps * args.batch, size, crop)
    loader = DataLoader(stream, batch_size=args.batch, num_workers=1, prefetch_factor=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, args.lr, total_steps=args.steps, pct_start=0.08, anneal_strategy="cos"
    )
    # Rare classes are small things; the square root keeps the weights mild.
    _, sample = held_out_scenes(64, size)
    share = np.bincount(sample.ravel(), minlength=len(CLASS_NAMES)) / sample.size
    weight = torch.tensor(1 / np.sqrt(share + 1e-3), dtype=torch.float32)
    loss_of = nn.CrossEntropyLoss(weight / weight.mean())
    images, truth = held_out_scenes(args.held_out, size)
    started, running = time.monotonic(), 0.0
    for step, (batch, labels) in enumerate(loader, 1):
        model.train()
        logits = model(pixel_values=normalise(batch)).logits
        logits = nn.functional.interpolate(logits, size=crop, mode="bilinear")
        loss = loss_of(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        running += (float(loss.detach()) - running) / min(step, 50)
        if step % args.report == 0 or step == args.steps:
            score = mean_iou(predict(model, images), truth)
            minutes = (time.monotonic() - started) / 60
            print(f"step {step} {minutes:.1f} min loss {running:.3f} mIoU {score:.3f}", flush=True)
            save(model, args.out)
    model.train(False)
    return model


def save(model: SegformerForSemanticSegmentation, out: Path) -> None:
    """Write config, float16 weights and preprocessing into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.architectures = ["SegformerForSemanticSegmentation"]
    (out / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    preprocessing = {
        "image_processor_type": "SegformerImageProcessor",
        "do_resize": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(MEAN),
        "image_std": list(STD),
        "do_reduce_labels": False,
    }
    text = json.dumps(preprocessing, indent=2) + "\n"
    (out / "preprocessor_config.json").write_text(text, encoding="utf-8")


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
  `python examples/train_demo_segformer.py --out {folder} --steps {steps} --batch {batch}
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


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
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
