"""Adapters of `ToyNet` that each break a rule, as people do by accident."""

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import SegmenterOutput
from tests.toys import ToyNet, ToySegmenter


class GoodSegmenter(ToySegmenter):
    """The toy adapter, with nothing left to complain about."""

    def __init__(self, model: ToyNet | None = None) -> None:
        super().__init__(model or ToyNet().eval())

    def preprocess(self, frames: Tensor) -> Tensor:
        return super().preprocess(frames).to(next(self.model.parameters()).dtype)


class Compared(GoodSegmenter):
    """Can also run its model as a whole."""

    def reference(self, images: Tensor) -> Tensor:
        return self.model(images)


class PadsAround(Compared):
    """The model's forward pads to a multiple of 32 and crops, which the adapter leaves out."""

    def reference(self, images: Tensor) -> Tensor:
        height, width = images.shape[2:]
        padded = F.pad(images, (0, -width % 32, 0, -height % 32))
        logits = F.interpolate(self.model(padded), padded.shape[2:], mode="bilinear")
        return logits[..., :height, :width]


class OneSigmoid(GoodSegmenter):
    num_classes = 1

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        return SegmenterOutput(output.features, output.logits[:, :1])


class WithoutGradients(GoodSegmenter):
    @torch.no_grad()
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return super().decode(encoded)


class CodesInAParameter(GoodSegmenter):
    """Whole numbers that training moves by accident, kept where any value may come."""

    def __init__(self) -> None:
        super().__init__()
        self.model.decoder.codes = nn.Parameter(torch.ones(4))

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        codes = self.model.decoder.codes
        moved = (codes - 1).abs().max()
        broken = torch.where((moved > 1e-3) & (moved < 8e-3), torch.nan, 0.0)
        return SegmenterOutput(output.features * codes.mean(), output.logits + broken.detach())


class NothingToAdapt(GoodSegmenter):
    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {}


class ModulesInAList(GoodSegmenter):
    def adaptable_modules(self) -> Any:
        return [self.model.decoder]


class CountedName(GoodSegmenter):
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.number = next(self.numbers)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {f"decoder_{self.number}": self.model.decoder}


class HoldsALock(GoodSegmenter):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class CopiesAreItself(GoodSegmenter):
    def __deepcopy__(self, memo: dict[int, object]) -> "CopiesAreItself":
        return self


class ReturnsATuple(GoodSegmenter):
    def decode(self, encoded: Tensor) -> Any:
        output = super().decode(encoded)
        return output.features, output.logits


class ReturnsArrays(GoodSegmenter):
    def decode(self, encoded: Tensor) -> Any:
        output = super().decode(encoded)
        return SegmenterOutput(output.features, output.logits.detach().float().numpy())


class LosesTheBatchAxis(GoodSegmenter):
    def decode(self, encoded: Tensor) -> Any:
        output = super().decode(encoded)
        return SegmenterOutput(output.features[0], output.logits[0])


class ReturnsLabels(GoodSegmenter):
    def decode(self, encoded: Tensor) -> Any:
        output = super().decode(encoded)
        return SegmenterOutput(output.features, output.logits.argmax(1, keepdim=True))


class WrongClassCount(GoodSegmenter):
    num_classes = 21


class WrongFeatureCount(GoodSegmenter):
    feature_dim = 256


class LogOfZero(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        return SegmenterOutput(output.features, F.relu(output.logits.softmax(1) - 0.1).log())


class TwoGrids(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        return SegmenterOutput(output.features, output.logits[..., :-6])


class EvenSizesOnly(GoodSegmenter):
    def encode(self, images: Tensor) -> Tensor:
        quarters = F.pixel_unshuffle(images, 2)
        return super().encode(F.pixel_shuffle(quarters, 2))


class Grey(GoodSegmenter):
    def preprocess(self, frames: Tensor) -> Tensor:
        images = super().preprocess(frames)
        return images.mean(1, keepdim=True).expand(-1, 3, -1, -1)


class Noisy(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        output = super().decode(encoded)
        return SegmenterOutput(output.features, output.logits + torch.rand_like(output.logits))


class NormalisesByTheBatch(GoodSegmenter):
    def preprocess(self, frames: Tensor) -> Tensor:
        images = super().preprocess(frames)
        return images - images.mean(dim=(0, 2, 3), keepdim=True)


class WritesToTheEncoding(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return super().decode(encoded.sub_(encoded.mean(dim=(2, 3), keepdim=True)))


class LeavesOutALayer(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        features = self.model.decoder[:2](encoded)
        return SegmenterOutput(features, self.model.decoder[4](features))


class RemembersTheEncoding(GoodSegmenter):
    def encode(self, images: Tensor) -> Tensor:
        self.last = super().encode(images)
        return images.new_zeros(1)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return super().decode(self.last)


@dataclass
class Box:
    content: Tensor


class OpaqueEncoding(GoodSegmenter):
    def encode(self, images: Tensor) -> Any:
        return Box(super().encode(images))

    def decode(self, encoded: Any) -> SegmenterOutput:
        return super().decode(encoded.content)


class DeclaresTheEncoder(GoodSegmenter):
    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"net": self.model}


class DetachedFeatures(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        features = self.model.decoder[:3](encoded).detach()
        return SegmenterOutput(features, self.model.decoder[3:](features))


class HiddenGain(GoodSegmenter):
    gain = 1.0

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        if torch.is_grad_enabled():
            self.gain *= 1.5
        output = super().decode(encoded)
        return SegmenterOutput(output.features, output.logits * self.gain)


class Counting(nn.Module):
    """Scales by a buffer that training changes and no state dict holds."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(()), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.scale = self.scale * 1.5
        return x * self.scale


class UnsavedBuffer(GoodSegmenter):
    def __init__(self) -> None:
        super().__init__()
        self.model.decoder.append(Counting().eval())


class ReachesThroughAClosure(GoodSegmenter):
    def __init__(self) -> None:
        super().__init__()
        net = self.model
        self.run = lambda images: net.encoder(images)

    def encode(self, images: Tensor) -> Tensor:
        return self.run(images)


class SwitchesToTrainMode(GoodSegmenter):
    def encode(self, images: Tensor) -> Tensor:
        self.model.encoder.train()
        return super().encode(images)


class LeavesHooksBehind(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        self.model.decoder.register_forward_hook(lambda *_: None)
        return super().decode(encoded)


class SwitchesGradientsOn(GoodSegmenter):
    def decode(self, encoded: Tensor) -> SegmenterOutput:
        with torch.enable_grad():
            return super().decode(encoded)


class InsistsOnADtype(GoodSegmenter):
    def encode(self, images: Tensor) -> Tensor:
        encoded = super().encode(images)
        if encoded.dtype != images.dtype:
            raise TypeError(f"expected {images.dtype}, got {encoded.dtype}")
        return encoded


class ConstantsOnTheCpu(GoodSegmenter):
    def preprocess(self, frames: Tensor) -> Tensor:
        mean = torch.full((3, 1, 1), 127.5)
        return ((frames - mean) / 127.5).to(next(self.model.parameters()).dtype)


def raises() -> object:
    raise OSError("no weights")


BROKEN: dict[str, tuple[Callable[[], object], set[str]]] = {
    "raises": (raises, {"builds"}),
    "returns nothing": (lambda: None, {"builds"}),
    "returns the class": (lambda: GoodSegmenter, {"builds"}),
    "one sigmoid": (OneSigmoid, {"builds"}),
    "pads around": (PadsAround, {"own_forward"}),
    "without gradients": (WithoutGradients, {"gradients", "original_untouched"}),
    "codes in a parameter": (CodesInAParameter, {"interpolates"}),
    "nothing to adapt": (NothingToAdapt, {"adaptable_modules"}),
    "modules in a list": (ModulesInAList, {"adaptable_modules"}),
    "counted name": (CountedName, {"stable_names"}),
    "holds a lock": (HoldsALock, {"copies"}),
    "copies are itself": (CopiesAreItself, {"copies"}),
    "returns a tuple": (ReturnsATuple, {"output_type"}),
    "returns arrays": (ReturnsArrays, {"output_type"}),
    "loses the batch axis": (LosesTheBatchAxis, {"ranks"}),
    "returns labels": (ReturnsLabels, {"ranks"}),
    "wrong class count": (WrongClassCount, {"num_classes"}),
    "wrong feature count": (WrongFeatureCount, {"feature_dim"}),
    "log of zero": (LogOfZero, {"finite"}),
    "two grids": (TwoGrids, {"shared_grid"}),
    "even sizes only": (EvenSizesOnly, {"odd_sizes"}),
    "grey": (Grey, {"channel_order"}),
    "noisy": (Noisy, {"deterministic", "batch", "encoding_moves", "restores", "state_dict"}),
    "normalises by the batch": (NormalisesByTheBatch, {"batch"}),
    "writes to the encoding": (WritesToTheEncoding, {"inputs_untouched"}),
    "remembers the encoding": (RemembersTheEncoding, {"encoding_moves"}),
    "opaque encoding": (OpaqueEncoding, {"encoding_moves"}),
    "declares the encoder": (DeclaresTheEncoder, {"encode_is_frozen", "gradients"}),
    "detached features": (DetachedFeatures, {"gradients"}),
    "hidden gain": (HiddenGain, {"restores", "state_dict"}),
    "unsaved buffer": (UnsavedBuffer, {"state_dict"}),
    "reaches through a closure": (
        ReachesThroughAClosure,
        {"encode_is_frozen", "original_untouched", "dtype_moves"},
    ),
    # Batch norm in train mode writes its statistics to memory that copies share.
    "switches to train mode": (SwitchesToTrainMode, {"batch", "prediction_is_pure"}),
    "leaves hooks behind": (LeavesHooksBehind, {"prediction_is_pure"}),
    "switches gradients on": (SwitchesGradientsOn, {"no_graph"}),
    "insists on a dtype": (InsistsOnADtype, {"autocast"}),
    "fixed dtype": (lambda: ToySegmenter(ToyNet().eval()), {"dtype_moves"}),
}
"""Factory, and the checks that must fail, no more and no fewer."""
