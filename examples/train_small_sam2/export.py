"""Write trained weights as a folder that `from_pretrained` reads, and the curve as a picture."""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from examples.train_small_sam2.training import averaged_model

_CURVES = ("J_mask", "J_point", "gone", "there")
_COLOURS = ((31, 119, 180), (255, 127, 14), (44, 160, 44), (148, 103, 189))


def export(weights: dict[str, Tensor], side: int, out: Path) -> None:
    """Write `weights/` (config.json and fp16 safetensors) and `curve.png` to a folder."""
    model = averaged_model(weights, side)
    model.to(torch.float16).save_pretrained(out / "weights")
    curve = json.loads((out / "curve.json").read_text(encoding="utf-8"))
    draw_curve(curve, out / "curve.png")
    print(f"wrote {out / 'weights'} and {out / 'curve.png'}")


def draw_curve(curve: list[dict[str, float]], path: Path) -> None:
    """Draw J and the object score's accuracy (0 to 1), and the mask loss (grey), over minutes."""
    import cv2

    height, width, margin = 360, 640, 40
    canvas = np.full((height, width, 3), 255, np.uint8)
    minutes = np.array([line["minutes"] for line in curve])
    across = margin + (width - 2 * margin) * minutes / max(minutes.max(), 1e-9)

    def line(values: np.ndarray, colour: tuple[int, int, int]) -> None:
        down = height - margin - (height - 2 * margin) * values
        points = np.stack([across, down], 1)[np.isfinite(values)].round().astype(np.int32)
        cv2.polylines(canvas, [points.reshape(-1, 1, 2)], False, colour, 2, cv2.LINE_AA)

    def text(words: str, place: tuple[int, int], colour: tuple[int, int, int]) -> None:
        cv2.putText(canvas, words, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, colour, 1, cv2.LINE_AA)

    for tick in np.linspace(0, 1, 6):
        y = round(height - margin - (height - 2 * margin) * tick)
        cv2.line(canvas, (margin, y), (width - margin, y), (225, 225, 225), 1)
        text(f"{tick:.1f}", (8, y + 4), (90, 90, 90))
    text(f"{minutes.max():.0f} minutes", (width - 130, height - 14), (90, 90, 90))
    loss = np.array([entry["mask"] for entry in curve])
    line(loss / loss.max(), (170, 170, 170))
    text(f"mask loss (1.0 = {loss.max():.2f})", (margin, height - 14), (130, 130, 130))
    for index, (name, colour) in enumerate(zip(_CURVES, _COLOURS, strict=True)):
        line(np.array([entry[name] for entry in curve], float), colour)
        text(name, (margin + 110 * index, 24), colour)
    cv2.imwrite(str(path), canvas[:, :, ::-1])
