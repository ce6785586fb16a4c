"""The networks: trained ones that are at hand, and small ones of other families, trained here."""

import itertools
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.davis import data_root
from benchmarks.espnetv2 import load_espnetv2
from ditta_adapt import HookedSegmenter, Segmenter
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES, render_scene
from ditta_adapt.models.preprocessing import normalise

STEPS, BATCH, SIDE = 600, 4, (96, 160)


@cache
def build(name: str, size: tuple[int, int], folder: Path) -> Segmenter:
    """A network by its name, which sees frames at a size.

    Args:
        name: of a released width, such as `"espnetv2-1.0"`; `"segformer"`, the demo's; `"unet"` or
            `"dilated"`, trained on generated scenes when it is first asked for.
        size: `(H, W)`.
        folder: where trained weights are kept.

    The same object for the same arguments: what was found of a model need not be found again.
    """
    if name == "segformer":
        return SegformerSegmenter(load_demo_model())
    if name.startswith("espnetv2-"):
        width = name.removeprefix("espnetv2-")
        model = load_espnetv2(data_root() / "weights" / f"espnetv2_s_{width}_pascal_384x384.pth")
        return HookedSegmenter(
            model,
            decoder="decoder",
            features="input:decoder.classifier",
            logits=lambda output: output[1],
            size=size,
        )
    return HookedSegmenter(trained(name, folder), decoder="decoder")


class UNet(nn.Module):
    """An encoder-decoder with skip connections."""

    def __init__(self, classes: int, width: int = 24) -> None:
        super().__init__()
        widths = [width, 2 * width, 4 * width]
        self.stem = _unit(3, width, stride=2)
        self.down = nn.ModuleList(_unit(a, b, stride=2) for a, b in itertools.pairwise(widths))
        self.decoder = UNetDecoder(widths, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits at half the size of the images."""
        maps = [self.stem(images)]
        for layer in self.down:
            maps.append(layer(maps[-1]))
        scores: Tensor = self.decoder(maps)
        return scores


class UNetDecoder(nn.Module):
    """From the coarsest map up, joined with the finer ones."""

    def __init__(self, widths: list[int], classes: int) -> None:
        super().__init__()
        pairs = list(zip(widths[::-1], widths[-2::-1], strict=False))
        self.up = nn.ModuleList(_unit(a + b, b) for a, b in pairs)
        self.classifier = nn.Conv2d(widths[0], classes, 1)

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Logits on the grid of the finest map."""
        x = maps[-1]
        for layer, finer in zip(self.up, maps[-2::-1], strict=True):
            x = F.interpolate(x, finer.shape[2:], mode="bilinear", align_corners=False)
            x = layer(torch.cat([x, finer], dim=1))
        scores: Tensor = self.classifier(x)
        return scores


class Dilated(nn.Module):
    """A plain network: a quarter of the size from the start, then wider and wider dilation."""

    def __init__(self, classes: int, width: int = 48) -> None:
        super().__init__()
        self.stem = nn.Sequential(_unit(3, width, stride=2), _unit(width, width, stride=2))
        self.body = nn.Sequential(*(_unit(width, width, dilation=d) for d in (1, 2, 4, 8)))
        self.decoder = nn.Sequential(
            _unit(width, width, dilation=2), _unit(width, width), nn.Conv2d(width, classes, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits at a quarter of the size of the images."""
        scores: Tensor = self.decoder(self.body(self.stem(images)))
        return scores


def _unit(cin: int, cout: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(cin, cout, 3, stride, dilation, dilation, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU())


def trained(name: str, folder: Path) -> nn.Module:
    """A network for the demo's classes, trained on generated scenes in some minutes, once."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = {"unet": UNet, "dilated": Dilated}[name](len(CLASS_NAMES))
        path = folder / f"{name}.pth"
        if not path.is_file():
            _train(model)
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(model.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval()


def _train(model: nn.Module) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=STEPS)
    model.train()
    for step in range(STEPS):
        scenes = [render_scene(10_000 + BATCH * step + k, SIDE) for k in range(BATCH)]
        images = torch.stack([torch.from_numpy(image) for image, _ in scenes])
        labels = torch.stack([torch.from_numpy(truth) for _, truth in scenes]).long()
        scores = model(normalise(images.permute(0, 3, 1, 2).float() / 255))
        loss = F.cross_entropy(
            F.interpolate(scores, SIDE, mode="bilinear", align_corners=False), labels
        )
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
