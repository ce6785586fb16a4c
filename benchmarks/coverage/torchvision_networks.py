"""Networks of segmentation-models-pytorch, torchvision and timm: they want torchvision."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.coverage.network import Network

CLASSES = 5
DECODERS = (
    "Unet",
    "UnetPlusPlus",
    "MAnet",
    "Linknet",
    "FPN",
    "PSPNet",
    "DeepLabV3",
    "DeepLabV3Plus",
    "PAN",
    "UPerNet",
    "Segformer",
    "DPT",
)
ENCODERS = ("resnet18", "mobilenet_v2", "efficientnet-b0", "mit_b0")
# Their decoders need an encoder without a stage at half the size, or one that can be dilated.
NOT_WITH_MIT = {"UnetPlusPlus", "Linknet", "DeepLabV3", "DeepLabV3Plus", "PAN"}
_SCHEMAS: list[Any] = []


def make_importable() -> None:
    """Define the two operators whose absence keeps torchvision without its build from loading."""
    if not _SCHEMAS:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _SCHEMAS.append(library)


def networks() -> Iterator[Network]:
    """One by one; none where the libraries are not installed."""
    make_importable()
    import segmentation_models_pytorch as smp

    for decoder in DECODERS:
        for encoder in ENCODERS if decoder != "DPT" else ("tu-vit_tiny_patch16_224",):
            if encoder.startswith("mit") and decoder in NOT_WITH_MIT:
                continue
            make = _maker(smp, decoder, encoder, classes=CLASSES)
            yield Network("smp", f"{decoder}, {encoder}", make)
    options: dict[str, dict[str, Any]] = {
        "classes=1": {"classes": 1},
        "classes=1, sigmoid": {"classes": 1, "activation": "sigmoid"},
        "softmax": {"classes": CLASSES, "activation": "softmax2d"},
        "logsoftmax": {"classes": CLASSES, "activation": "logsoftmax"},
        "aux_params": {"classes": CLASSES, "aux_params": {"classes": 3}},
    }
    for name, settings in options.items():
        yield Network("smp", f"Unet, {name}", _maker(smp, "Unet", "resnet18", **settings))
    several = _maker(smp, "Unet", "resnet18", classes=CLASSES, activation="sigmoid")
    yield Network("smp", "Unet, sigmoid of 5", several, refused=True)
    yield from _of_torchvision()
    yield Network("timm", "features_only, own head", _on_timm)


def _maker(smp: Any, decoder: str, encoder: str, **settings: Any) -> Any:
    def make() -> nn.Module:
        model: nn.Module = getattr(smp, decoder)(encoder, encoder_weights=None, **settings)
        return model.eval()

    return make


def _of_torchvision() -> Iterator[Network]:
    from torchvision.models import segmentation

    for name in (
        "fcn_resnet50",
        "fcn_resnet101",
        "deeplabv3_resnet50",
        "deeplabv3_resnet101",
        "deeplabv3_mobilenet_v3_large",
    ):
        for aux in (False, True):
            shown = f"{name}, aux_loss={aux}"
            yield Network("torchvision", shown, _tv_maker(segmentation, name, aux_loss=aux))
    name = "lraspp_mobilenet_v3_large"
    yield Network("torchvision", name, _tv_maker(segmentation, name))


def _tv_maker(segmentation: Any, name: str, **settings: Any) -> Any:
    def make() -> nn.Module:
        build = getattr(segmentation, name)
        model: nn.Module = build(
            weights=None, weights_backbone=None, num_classes=CLASSES, **settings
        )
        return model.eval()

    return make


class _OwnHead(nn.Module):
    """A backbone of timm with the head that its user wrote."""

    def __init__(self) -> None:
        super().__init__()
        import timm

        self.backbone = timm.create_model("resnet18", pretrained=False, features_only=True)
        channels = self.backbone.feature_info.channels()
        self.lateral = nn.ModuleList(nn.Conv2d(each, 32, 1) for each in channels)
        self.fuse = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU())
        self.classify = nn.Conv2d(32, CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.backbone(images)
        fused = self.lateral[-1](maps[-1])
        for layer, finer in zip(self.lateral[-2::-1], maps[-2::-1], strict=False):
            fused = layer(finer) + F.interpolate(fused, finer.shape[2:], mode="nearest")
        scores = self.classify(self.fuse(fused))
        return F.interpolate(scores, images.shape[2:], mode="bilinear", align_corners=True)


def _on_timm() -> nn.Module:
    return _OwnHead().eval()
