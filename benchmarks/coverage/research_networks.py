"""Networks as research code has them, each with a habit that could mislead."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.coverage.network import Network
from benchmarks.espnetv2 import ESPNetv2

CLASSES = 5


def block(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Convolution, norm, activation in place."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True)
    )


class FlatUNet(nn.Module):
    """Every layer is called by the one forward method; sides are padded and cropped."""

    def __init__(self, classes: int = CLASSES) -> None:
        super().__init__()
        self.one, self.two, self.three = block(3, 8), block(8, 16), block(16, 32)
        self.up_two, self.up_one = block(48, 16), block(24, 8)
        self.last = nn.Conv2d(8, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores at the size of the image."""
        height, width = images.shape[2:]
        one = self.one(F.pad(images, (0, -width % 4, 0, -height % 4)))
        two = self.two(F.max_pool2d(one, 2))
        three = self.three(F.max_pool2d(two, 2))
        up = self.up_two(torch.cat([two, F.interpolate(three, scale_factor=2)], 1))
        up = self.up_one(torch.cat([one, F.interpolate(up, scale_factor=2)], 1))
        scores: Tensor = self.last(up)
        return scores[..., :height, :width]


class OverwritesModules(nn.Module):
    """Has an attribute `modules`, and calls its children through a list."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([block(3, 8, 2), block(8, 16, 2), block(16, 16)])
        self.classifier = nn.Conv2d(16, CLASSES, 1)
        self.modules = [*self.layers, self.classifier]  # type: ignore[assignment]

    def forward(self, images: Tensor) -> Tensor:
        """Class scores at the size of the image."""
        maps = images
        for layer in self.modules:  # type: ignore[attr-defined]
            maps = layer(maps)
        return F.interpolate(maps, images.shape[2:], mode="bilinear")


class Answer(NamedTuple):
    """Three outputs."""

    logits: Tensor
    aux: Tensor
    features: Tensor


class ThreeOutputs(nn.Module):
    """Returns scores, those of an auxiliary head, and features."""

    def __init__(self, named: bool = False, last: bool = False) -> None:
        super().__init__()
        self.backbone, self.deep = block(3, 16, 4), block(16, 24, 2)
        self.head = nn.Sequential(block(24, 12), nn.Conv2d(12, CLASSES, 1))
        self.auxiliary = nn.Conv2d(16, CLASSES, 1)
        self._named, self._last = named, last

    def forward(self, images: Tensor) -> Any:
        """Scores, auxiliary scores and features."""
        shallow = self.backbone(images)
        features = self.deep(shallow)
        scores, aux = self.head(features), self.auxiliary(shallow)
        if self._last:
            return [features, aux, scores]
        return Answer(scores, aux, features) if self._named else (scores, aux, features)


class Keywords(FlatUNet):
    """Takes further arguments, none of which is needed."""

    def forward(self, images: Tensor, *, return_dict: bool = True, labels: Any = None) -> Any:
        """Class scores in a dict."""
        scores = super().forward(images)
        return {"out": scores} if return_dict else (scores,)


class ImageAgain(nn.Module):
    """Is fed the image once more at every depth, and at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = block(3, 8, 2), block(11, 16, 2)
        self.decode = block(19, 16)
        self.refine = nn.Sequential(block(19, 8), nn.Conv2d(8, CLASSES, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores at the size of the image."""
        maps = self.first(images)
        maps = self.second(torch.cat([maps, _shrunk(images, maps)], 1))
        maps = self.decode(torch.cat([maps, _shrunk(images, maps)], 1))
        maps = F.interpolate(maps, images.shape[2:], mode="bilinear")
        scores: Tensor = self.refine(torch.cat([maps, images], 1))
        return scores


class TwoBranches(nn.Module):
    """The deep branch runs before the shallow one, as in two-branch street networks."""

    def __init__(self) -> None:
        super().__init__()
        self.context = nn.Sequential(block(3, 16, 4), block(16, 32, 4), block(32, 16))
        self.detail = nn.Sequential(block(3, 16, 4), block(16, 16))
        self.join = nn.Sequential(block(32, 16), nn.Conv2d(16, CLASSES, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, with align_corners."""
        context = self.context(images)
        detail = self.detail(images)
        context = F.interpolate(context, detail.shape[2:], mode="bilinear")
        scores = self.join(torch.cat([detail, context], 1))
        return F.interpolate(scores, images.shape[2:], mode="bilinear", align_corners=True)


class PixelShuffle(nn.Module):
    """Scores of four by four pixels from one cell."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(block(3, 16, 2), block(16, 24, 2), block(24, 24))
        self.to_scores = nn.Conv2d(24, CLASSES * 16, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores, for sides that divide by four."""
        if images.shape[2] % 4 or images.shape[3] % 4:
            raise ValueError("the sides must divide by 4")
        scores: Tensor = F.pixel_shuffle(self.to_scores(self.body(images)), 4)
        return scores


class TokenHead(nn.Module):
    """A small vision transformer of one size, whose head is linear."""

    def __init__(self, side: int = 96) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 24, 16, 16)
        self.position = nn.Parameter(torch.randn(1, (side // 16) ** 2, 24))
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(24, 2, 48, batch_first=True, dropout=0.0) for _ in range(4)
        )
        self.neck, self.head = nn.Linear(24, 16), nn.Linear(16, CLASSES)
        self.img_size = (side, side)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores on the grid of the patches."""
        maps = self.patches(images)
        tokens = maps.flatten(2).transpose(1, 2) + self.position
        for layer in self.blocks:
            tokens = layer(tokens)
        scores = self.head(F.gelu(self.neck(tokens)))
        return scores.transpose(1, 2).unflatten(2, maps.shape[2:])


class SharedActivation(nn.Module):
    """One activation, in place, is called everywhere; what it writes to is added to later."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.deep = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 2, 1)
        self.other, self.up = nn.Conv2d(16, 16, 3, 2, 1), nn.Conv2d(16, 16, 3, 1, 1)
        self.last = nn.Conv2d(16, CLASSES, 1)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores at half the size of the image."""
        stem = self.activation(self.stem(images))
        deep = self.deep(stem)
        deep += self.other(stem)
        deep = self.activation(deep)
        up = F.interpolate(self.activation(self.up(deep)), stem.shape[2:])
        up += stem
        scores: Tensor = self.last(up)
        return scores


class TwoInputs(FlatUNet):
    """Needs a second image."""

    def forward(self, images: Tensor, depth: Tensor) -> Tensor:  # type: ignore[override]
        """Class scores at the size of the image."""
        return super().forward(images + depth)


class NoGradientDecoder(nn.Module):
    """Whose decoder runs under `torch.no_grad`."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = block(3, 16, 4), nn.Conv2d(16, CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores."""
        maps = self.encoder(images)
        with torch.no_grad():
            scores: Tensor = self.decoder(maps)
        return scores


class Labels(FlatUNet):
    """Returns labels."""

    def forward(self, images: Tensor) -> Tensor:
        """Labels of pixels."""
        return super().forward(images).argmax(1)


def _shrunk(images: Tensor, maps: Tensor) -> Tensor:
    return F.interpolate(images, maps.shape[2:], mode="bilinear")


def _last_scores(model: nn.Module, images: Tensor) -> Tensor:
    scores: Tensor = model(images)[-1]
    return scores


def networks() -> Iterator[Network]:
    """One by one."""
    kinds: dict[str, Any] = {
        "flat U-Net, padded and cropped": FlatUNet,
        "one channel": lambda: FlatUNet(1),
        "300 classes": lambda: FlatUNet(300),
        "overwrites modules": OverwritesModules,
        "(scores, aux, features)": ThreeOutputs,
        "named tuple": lambda: ThreeOutputs(named=True),
        "forward(x, return_dict=...)": Keywords,
        "image fed in again": ImageAgain,
        "two branches, align_corners": TwoBranches,
        "pixel shuffle": PixelShuffle,
        "linear head on tokens": TokenHead,
        "shared activation, in place": SharedActivation,
        "ESPNetv2": lambda: ESPNetv2(num_classes=21),
    }
    for name, make in kinds.items():
        yield Network("research", name, _in_eval_mode(make))
    last = _in_eval_mode(lambda: ThreeOutputs(last=True))
    yield Network("research", "[features, aux, scores]", last, own=_last_scores)
    refused: dict[str, Any] = {
        "two inputs": TwoInputs,
        "decoder under no_grad": NoGradientDecoder,
        "labels only": Labels,
    }
    for name, make in refused.items():
        yield Network("research", name, _in_eval_mode(make), refused=True)


def _in_eval_mode(make: Any) -> Any:
    def build() -> nn.Module:
        model: nn.Module = make()
        return model.eval()

    return build
