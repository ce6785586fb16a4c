"""OCRNets to test against: mmsegmentation's, built from a config, and the authors' layout."""

import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.toys import toy_video

CLASSES = 5


def frames_of(size: tuple[int, int], batch: int = 1) -> Tensor:
    return torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in toy_video(batch, size)])


class NotCompiled(types.ModuleType):
    """Stands for `mmcv.ops`, which mmcv-lite lacks; no model below uses one of its operators."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


@contextmanager
def old_library() -> Iterator[None]:
    """mmsegmentation is no longer maintained: it uses what torch and its own parts deprecate."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


NORM = {"type": "BN", "requires_grad": True}
IMAGENET = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375]}


def stage(branches: int, block: str, *channels: int) -> dict[str, Any]:
    return {
        "num_modules": 1,
        "num_branches": branches,
        "block": block,
        "num_blocks": (1,) * branches,
        "num_channels": channels,
    }


HRNET = {
    "type": "HRNet",
    "norm_cfg": NORM,
    "extra": {
        "stage1": stage(1, "BOTTLENECK", 8),
        "stage2": stage(2, "BASIC", 4, 8),
        "stage3": stage(3, "BASIC", 4, 8, 12),
        "stage4": stage(4, "BASIC", 4, 8, 12, 16),
    },
}


def head(kind: str, **settings: Any) -> dict[str, Any]:
    return {
        "type": kind,
        "in_channels": [4, 8, 12, 16],
        "in_index": (0, 1, 2, 3),
        "input_transform": "resize_concat",
        "channels": 16,
        "num_classes": CLASSES,
        "norm_cfg": NORM,
        "loss_decode": {"type": "CrossEntropyLoss", "avg_non_ignore": True},
    } | settings


def build(models: Any, kind: str, decode_head: Any, **settings: Any) -> Any:
    torch.manual_seed(0)
    with old_library():
        model = models.build(
            {
                "type": kind,
                "backbone": HRNET,
                "decode_head": decode_head,
                "data_preprocessor": {"type": "SegDataPreProcessor", "bgr_to_rgb": True} | IMAGENET,
                "test_cfg": {"mode": "whole"},
            }
            | settings
        )
    return roll_back(model)


def roll_back(model: Any) -> Any:
    """As after training: batch statistics of images, and labels that differ between pixels."""
    *_, classifier = (
        module for name, module in model.named_modules() if name.endswith(("conv_seg", "cls_head"))
    )
    with torch.no_grad():
        nn.init.normal_(classifier.weight, std=3)
        model.train()
        for _ in range(10):
            model((frames_of((64, 96), batch=2).float() - 110) / 60)
    return model.eval()


def ocrnet(models: Any, *, align_corners: bool = False, dropout: float = 0.1) -> Any:
    """HRNet with a FCN head and an OCR head, as mmsegmentation's own configurations have it."""
    shared = {"align_corners": align_corners}
    first = {"channels": 40, "kernel_size": 1, "num_convs": 1, "concat_input": False}
    return build(
        models,
        "CascadeEncoderDecoder",
        [
            head("FCNHead", dropout_ratio=-1, **first, **shared),
            head("OCRHead", dropout_ratio=dropout, ocr_channels=8, **shared),
        ],
        num_stages=2,
    )


def plain(models: Any, kind: str, **settings: Any) -> Any:
    return build(models, "EncoderDecoder", head(kind, **settings))


class Gather(nn.Module):
    """One feature per class: the mean of the pixels, weighted by where the class is."""

    def forward(self, features: Tensor, scores: Tensor) -> Tensor:
        return torch.einsum(
            "bcn,bdn->bcd", scores.flatten(2).softmax(2), features.flatten(2)
        ).transpose(1, 2)


class Distribute(nn.Module):
    """Each pixel joined with the class features it attends to."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fuse = nn.Sequential(
            nn.Conv2d(2 * channels, channels, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(True),
            nn.Dropout2d(0.05),
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        weights = torch.einsum("bdn,bdc->bnc", features.flatten(2), context).softmax(2)
        joined = torch.einsum("bnc,bdc->bdn", weights, context).reshape(features.shape)
        return self.fuse(torch.cat([joined, features], 1))


class AuthorsOCRNet(nn.Module):
    """The layout of the authors' programs: two branches of a body, joined in forward."""

    def __init__(self, convolution: str = "conv3x3_ocr", backbone: bool = False) -> None:
        super().__init__()
        self._convolution, self._backbone = convolution, backbone
        stem, branch = nn.Conv2d(3, 6, 3, 4, 1), nn.Conv2d(6, 8, 3, 2, 1)
        if backbone:
            self.backbone = nn.ModuleList([stem, branch])
        else:
            self.conv1, self.stage2 = stem, branch
        self.aux_head = nn.Sequential(
            nn.Conv2d(14, 14, 1), nn.BatchNorm2d(14), nn.ReLU(True), nn.Conv2d(14, CLASSES, 1)
        )
        setattr(
            self,
            convolution,
            nn.Sequential(nn.Conv2d(14, 10, 3, 1, 1), nn.BatchNorm2d(10), nn.ReLU(True)),
        )
        self.ocr_gather_head = Gather()
        self.ocr_distri_head = Distribute(10)
        self.cls_head = nn.Conv2d(10, CLASSES, 1)

    def forward(self, images: Tensor) -> list[Tensor]:
        stem, branch = self.backbone if self._backbone else (self.conv1, self.stage2)
        high = stem(images)
        low = F.interpolate(branch(high), high.shape[2:], mode="bilinear", align_corners=True)
        features = torch.cat([high, low], 1)
        aux = self.aux_head(features)
        features = getattr(self, self._convolution)(features)
        context = self.ocr_gather_head(features, aux)
        return [aux, self.cls_head(self.ocr_distri_head(features, context))]


def authors_ocrnet(**settings: Any) -> Any:
    torch.manual_seed(0)
    return roll_back(AuthorsOCRNet(**settings))
