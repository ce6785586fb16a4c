"""Does adaptation help OCRNet, of mmsegmentation's own classes, as it helps SegFormer?

A small HRNet with an OCR head is trained from scratch on clean generated scenes, as the demo's
SegFormer was, and adapted to held-out videos with noise, blur and exposure drift. mIoU and mVC8 of
the frames after the warm-up, for the image model, the default preset, the paper's program and the
paper's text, with optical flow and with the small SAM2 that ships with the package.

    python -m benchmarks.ocrnet --weights runs/ocrnet.pt --json ocrnet.json

Weights that are there are taken, rows that the file has already are not measured again. It needs
mmsegmentation as the tests do (`tests/no-deps.txt`).
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from ditta_adapt import AdaptConfig, wrap
from ditta_adapt.adapters.ocrnet import OCRNetSegmenter
from ditta_adapt.baselines import ImageModel, Method
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.io.files import write_files
from ditta_adapt.metrics import SegmentationScore, VideoConsistency
from ditta_adapt.reporting.tables import plain
from examples.train_demo_segformer.scenes import SceneStream
from tests.adapters.ocrnet_models import IMAGENET, NORM, NotCompiled, head, old_library, stage

SIZE, CROP = (192, 320), (160, 224)
WIDTHS = (16, 32, 48, 64)
LENGTH, VIDEOS = 40, 8
WARMUPS = (4, 10, 20)
"""A tenth, a quarter and a half of the frames."""
CONFIGS = {
    "ditta": AdaptConfig(),
    "ditta-paper": AdaptConfig.paper(),
    "ditta-as-printed": AdaptConfig.as_printed(),
}
METHODS = (
    ("image-model", "flow"),
    ("ditta", "flow"),
    ("ditta", "sam2-small"),
    ("ditta-paper", "sam2-small"),
    ("ditta-as-printed", "sam2-small"),
)


def network() -> Any:
    """An untrained HRNet of a third of W48's widths, with a FCN head and an OCR head."""
    sys.modules.setdefault("mmcv.ops", NotCompiled("mmcv.ops"))
    with old_library():
        from mmseg.registry import MODELS
        from mmseg.utils import register_all_modules

        register_all_modules()
        extra = {"stage1": stage(1, "BOTTLENECK", 32)}
        for number in range(2, 5):
            extra[f"stage{number}"] = stage(number, "BASIC", *WIDTHS[:number])
        shared = {"in_channels": list(WIDTHS), "num_classes": len(CLASS_NAMES)}
        total = sum(WIDTHS)
        return MODELS.build(
            {
                "type": "CascadeEncoderDecoder",
                "num_stages": 2,
                "backbone": {"type": "HRNet", "norm_cfg": NORM, "extra": extra},
                "decode_head": [
                    head("FCNHead", channels=total, kernel_size=1, num_convs=1)
                    | {"concat_input": False, "dropout_ratio": -1}
                    | shared,
                    head("OCRHead", channels=96, ocr_channels=48, dropout_ratio=0.05) | shared,
                ],
                "data_preprocessor": {"type": "SegDataPreProcessor", "bgr_to_rgb": True} | IMAGENET,
                "test_cfg": {"mode": "whole"},
            }
        )


def images_of(frames: Tensor) -> Tensor:
    """Frames `(B, H, W, 3)` uint8 as the network takes them."""
    mean, std = (torch.tensor(IMAGENET[key]).view(3, 1, 1) for key in ("mean", "std"))
    return (frames.permute(0, 3, 1, 2).float() - mean) / std


def train(steps: int, seed: int = 0) -> Any:
    """From scratch, by cross-entropy of both heads."""
    torch.manual_seed(seed)
    model = network().train()
    loader = DataLoader(SceneStream(seed, steps * 8, SIZE, CROP), batch_size=8)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps)
    started = time.monotonic()
    for step, (frames, labels) in enumerate(loader, start=1):
        features = model.extract_feat(images_of(frames))
        coarse = model.decode_head[0](features)
        fine = model.decode_head[1](features, coarse)
        losses = [
            weight
            * nn.functional.cross_entropy(
                nn.functional.interpolate(logits, labels.shape[1:], mode="bilinear"), labels
            )
            for weight, logits in ((0.4, coarse), (1.0, fine))
        ]
        optimizer.zero_grad()
        sum(losses).backward()  # type: ignore[union-attr]
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            minutes = (time.monotonic() - started) / 60
            print(f"step {step} of {steps}, loss {float(losses[1]):.3f}, {minutes:.1f} min")
    return model.eval()


def measure(model: Any, method: str, propagator: str, warmup: int) -> dict[str, Any]:
    """Scores of each video."""
    own: Method
    if method == "image-model":
        own = ImageModel(OCRNetSegmenter(model))
    else:
        own = wrap(model, propagator=propagator, config=CONFIGS[method])
    mious, mvc, seconds = [], [], 0.0
    for seed in range(1, VIDEOS + 1):
        frames, truth = render_video(seed, LENGTH)
        shifted = shift_frames(frames, seed=seed)
        own.reset()
        started = time.perf_counter()
        own.adapt(list(shifted[:warmup]))
        seconds += time.perf_counter() - started
        score, steady = SegmentationScore(len(CLASS_NAMES)), VideoConsistency(8)
        for frame, labels in zip(shifted[warmup:], truth[warmup:], strict=True):
            found = own(frame)
            score.update(found, labels)
            steady.update(found, labels)
        steady.end_video()
        mious.append(100 * score.miou())
        mvc.append(100 * steady.value())
    return {
        "method": method,
        "propagator": propagator,
        "warmup": warmup,
        "miou": mious,
        "mvc8": mvc,
        "adapt_seconds": seconds / VIDEOS,
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A line a method and warm-up, with gains over the image model."""
    base = {row["warmup"]: row for row in rows if row["method"] == "image-model"}
    lines = [
        ["method", "propagator", "warm-up", "mIoU", "gain", "worst", "mVC8", "gain", "adapt s"]
    ]
    for row in rows:
        plainly = base[row["warmup"]]
        gains, steadier = (np.subtract(row[key], plainly[key]) for key in ("miou", "mvc8"))
        lines.append(
            [
                *map(str, (row["method"], row["propagator"], row["warmup"])),
                f"{np.mean(row['miou']):.2f}",
                *(f"{value:+.2f}" for value in (gains.mean(), gains.min())),
                f"{np.mean(row['mvc8']):.2f}",
                f"{steadier.mean():+.2f}",
                f"{row['adapt_seconds']:.1f}",
            ]
        )
    return plain(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ocrnet",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--weights", type=Path, required=True, help="trained if not there")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--json", type=Path, help="file of rows, which is gone on with")
    options = parser.parse_args(arguments)
    if options.weights.is_file():
        model = network()
        model.load_state_dict(torch.load(options.weights, weights_only=True))
        model.eval()
    else:
        model = train(options.steps)
        options.weights.parent.mkdir(parents=True, exist_ok=True)
        torch.save(model.state_dict(), options.weights)
    rows: list[dict[str, Any]] = []
    if options.json and options.json.exists():
        rows = json.loads(options.json.read_text("utf-8"))
    done = {(row["method"], row["propagator"], row["warmup"]) for row in rows}
    for warmup in WARMUPS:
        for method, propagator in METHODS:
            if (method, propagator, warmup) not in done:
                rows.append(measure(model, method, propagator, warmup))
                print(rows[-1], flush=True)
                if options.json:
                    write_files({options.json: json.dumps(rows, indent=1)})
    print(table(rows))


if __name__ == "__main__":
    main()
