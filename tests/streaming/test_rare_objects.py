"""An object that the model finds now and then only is not voted away."""

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ditta_adapt import AdaptConfig, SegmenterOutput, WarpedVotes, wrap
from tests.baselines.shift_propagator import ShiftPropagator

CELL, FRAMES, WARM_UP = 8, 40, 12
SIZE = (64, 12 * FRAMES)


class Coarse(nn.Module):
    """Sees the mean colour of every 8 x 8 pixels; red ones are the object."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.AvgPool2d(CELL)
        self.decoder = nn.Conv2d(3, 2, 1)
        with torch.no_grad():
            self.decoder.weight.zero_()
            self.decoder.weight[1, 0] = 12.0
            self.decoder.bias.copy_(torch.tensor([0.0, -5.0]))


class CoarseSegmenter:
    num_classes, feature_dim = 2, 3

    def __init__(self) -> None:
        self.model = Coarse().eval()

    def preprocess(self, frames: Tensor, *, scale: float = 1.0) -> Tensor:
        size = [round(side * scale / CELL) * CELL for side in frames.shape[2:]]
        return F.interpolate(frames.float() / 255, size, mode="bilinear", antialias=True)

    def encode(self, images: Tensor) -> Tensor:
        return self.model.encoder(images)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        return SegmenterOutput(encoded, self.model.decoder(encoded))

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        return {"decoder": self.model.decoder}


def video() -> tuple[list[np.ndarray], list[np.ndarray]]:
    """A small red square goes one cell to the right a frame; in every fifth it fills one cell."""
    frames, truth = [], []
    for t in range(FRAMES):
        image = np.zeros((*SIZE, 3), np.uint8)
        top = 24 + (1 if t % 5 == 1 else 5)
        rows, columns = slice(top, top + 6), slice(CELL * (t + 2) + 1, CELL * (t + 2) + 7)
        image[rows, columns, 0] = 255
        frames.append(image)
        mask = np.zeros(SIZE, bool)
        mask[rows, columns] = True
        truth.append(mask)
    return frames, truth


def found(config: AdaptConfig | None) -> float:
    """IoU of the object after the warm-up; of the image model alone without a configuration."""
    frames, truth = video()
    model = wrap(CoarseSegmenter(), propagator=ShiftPropagator(step=1), config=config)
    if config is not None:
        model.adapt(frames[:WARM_UP])
    both = either = 0
    for frame, mask in zip(frames[WARM_UP:], truth[WARM_UP:], strict=True):
        seen = model(frame).numpy() == 1
        both, either = both + (seen & mask).sum(), either + (seen | mask).sum()
    return both / either


def test_it_is_found_as_often_as_by_the_image_model() -> None:
    image_model = found(None)
    assert 0.03 < image_model < 0.2
    # Votes alone lose it, since it is missing in most frames.
    memory = AdaptConfig(targets=None, memory=WarpedVotes(), safety=None, look=None)
    assert found(memory) < image_model / 2
    assert found(AdaptConfig()) >= image_model
    assert found(AdaptConfig(targets=None)) >= image_model
