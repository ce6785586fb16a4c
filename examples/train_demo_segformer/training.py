"""The training loop."""

import argparse
import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader
from transformers import SegformerForSemanticSegmentation

from ditta_adapt.demo.scenes import CLASS_NAMES
from examples.train_demo_segformer.export import save
from examples.train_demo_segformer.model import build_config, normalise, predict
from examples.train_demo_segformer.scenes import SceneStream, held_out_scenes
from examples.train_demo_segformer.scores import mean_iou


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
