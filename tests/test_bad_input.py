"""Input that cannot be used, and videos with nothing to learn, at the public border.

Each is a clear error or a documented fallback, and leaves the model as it was.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import (
    AdaptConfig,
    InputError,
    MaskVote,
    SegmenterError,
    SegmenterOutput,
    ShapeError,
    VideoSegmenter,
    wrap,
)
from tests.toys import (
    FEATURES,
    NUM_CLASSES,
    StillPropagator,
    ToyNet,
    ToySegmenter,
    toy_segmenter,
    toy_video,
)

PRESETS = {
    "default": AdaptConfig(),
    "masks": AdaptConfig(targets=MaskVote()),
    "paper": AdaptConfig.paper(),
}
FRAMES = toy_video(4)


class Painted(ToySegmenter):
    """Logits come from the frame: the brightness of a block of 4 x 4 pixels picks the class."""

    def __init__(self, sharpness: float = 20.0, noise: float = 0.0) -> None:
        super().__init__(ToyNet().eval())
        self.sharpness, self.noise = sharpness, noise

    def preprocess(self, frames: Tensor) -> Tensor:
        return frames[:, :1].float()

    def encode(self, images: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(images, 4, ceil_mode=True)

    def decode(self, encoded: Tensor) -> SegmenterOutput:
        centres = torch.linspace(0, 255, NUM_CLASSES).view(1, -1, 1, 1)
        logits = -self.sharpness * (encoded - centres).abs() / 255
        # Something to adapt, which the tests can see move.
        logits = logits + 0 * self.model.decoder[4].bias.view(1, -1, 1, 1)
        return SegmenterOutput(features=encoded.expand(-1, FEATURES, -1, -1), logits=logits)


def unchanged(model: VideoSegmenter, segmenter: ToySegmenter, frame: np.ndarray) -> bool:
    """Whether the video model still is the image model."""
    model.clear_memory()
    expected = wrap(segmenter).predict(frame).probabilities
    return torch.equal(model.predict(frame).probabilities, expected)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS.keys())
class TestNothingToLearn:
    def test_one_class_fills_the_video(self, preset: AdaptConfig) -> None:
        # Brightness 85 is the centre of class 1; some blocks are surer of it than others.
        blocks = 85 + 10 * np.arange(48).reshape(6, 8) // 48
        frames = [np.kron(blocks[..., None], np.ones((4, 4, 3))).astype(np.uint8)] * 4
        segmenter = Painted(sharpness=200.0)
        model = wrap(segmenter, propagator=StillPropagator(), config=preset)
        report = model.adapt(frames)
        # The paper's rarity of such a class is 0, so none of the masks gets a class; without the
        # rarity term a mask is found, of the label that the model gives anyway.
        rare = isinstance(preset.targets, MaskVote) and preset.targets.rarity_weight > 0
        assert report.adapted != rare
        if rare:
            assert "got a class" in report.reason
            assert unchanged(model, segmenter, frames[0])
        assert (model(frames[0]) == 1).all()

    def test_every_pixel_certain(self, preset: AdaptConfig) -> None:
        stripes = np.zeros((24, 32, 3), np.uint8)
        stripes[:, 16:] = 255
        model = wrap(Painted(sharpness=1e6), config=preset)
        model.adapt([stripes] * 3)
        prediction = model.predict(stripes)
        assert (prediction.reliability == 1).all()
        assert (prediction.labels[:, :12] == 0).all()
        assert (prediction.labels[:, 20:] == NUM_CLASSES - 1).all()

    def test_no_confident_pixel(self, preset: AdaptConfig) -> None:
        rng = np.random.default_rng(0)
        frames = list(rng.integers(0, 256, (4, 24, 32, 3), dtype=np.uint8))
        segmenter = Painted(sharpness=0.0)  # All classes equal everywhere.
        model = wrap(segmenter, propagator=StillPropagator(), config=preset)
        report = model.adapt(frames)
        assert not report.adapted
        assert report.losses == []
        assert report.classes == {}
        assert "no pixel was reliable" in report.reason
        assert str(report).startswith("not adapted: ")
        assert unchanged(model, segmenter, frames[0])

    def test_one_frame(self, preset: AdaptConfig) -> None:
        model = wrap(toy_segmenter(), config=preset)
        report = model.adapt(FRAMES[:1])
        assert report.num_frames == 1
        assert model(FRAMES[1]).shape == FRAMES[1].shape[:2]

    def test_no_frames(self, preset: AdaptConfig) -> None:
        model = wrap(toy_segmenter(), config=preset)
        for nothing in ([], iter(()), np.zeros((0, 4, 4, 3), np.uint8)):
            with pytest.raises(InputError, match="no frames"):
                model.adapt(nothing)

    def test_frames_that_change_size(self, preset: AdaptConfig) -> None:
        model = wrap(toy_segmenter(), config=preset)
        with pytest.raises(ShapeError, match=r"frame 2 is \(40, 50\).*frame 0 is \(37, 50\)"):
            model.adapt([*FRAMES[:2], toy_video(1, size=(40, 50))[0]])
        assert model.report is None


BAD_FRAMES: dict[str, tuple[Any, str]] = {
    "channels first": (FRAMES[0].transpose(2, 0, 1), "channels-first"),
    "float": (FRAMES[0] / 255, "float64"),
    "float tensor": (torch.rand(8, 8, 3), "float32"),
    "alpha": (np.zeros((8, 8, 4), np.uint8), "alpha"),
    "grey": (np.zeros((8, 8), np.uint8), "grey"),
    "batch": (np.zeros((2, 8, 8, 3), np.uint8), "one frame at a time"),
    "empty": (np.zeros((0, 8, 3), np.uint8), "at least one pixel"),
    "list": ([[0, 0, 0]], "list"),
    "none": (None, "NoneType"),
}


@pytest.mark.parametrize(("frame", "said"), BAD_FRAMES.values(), ids=BAD_FRAMES.keys())
def test_malformed_frames(frame: Any, said: str, unchecked: None) -> None:
    model = wrap(toy_segmenter())
    with pytest.raises(ShapeError, match=said):
        model(frame)
    with pytest.raises(ShapeError, match=said):
        model.predict(frame)
    with pytest.raises(ShapeError, match=rf"frame 1.*{said}"):
        model.adapt([FRAMES[0], frame])
    with pytest.raises(ShapeError, match=said):
        next(model.segment([frame]))
    assert unchanged(model, toy_segmenter(), FRAMES[0])


def test_one_frame_where_many_are_due() -> None:
    with pytest.raises(ShapeError, match=r"use \[frame\]"):
        wrap(toy_segmenter()).adapt(FRAMES[0])


@pytest.mark.parametrize("frames", [None, 3, wrap])
def test_things_that_are_no_frames(frames: Any, unchecked: None) -> None:
    for call in (wrap(toy_segmenter()).adapt, wrap(toy_segmenter()).segment):
        with pytest.raises(InputError, match="frames is a"):
            call(frames)


def test_frame_that_fails_in_mid_stream_leaves_the_memory() -> None:
    model, reference = wrap(toy_segmenter()), wrap(toy_segmenter())
    model.adapt(FRAMES[:3])
    reference.adapt(FRAMES[:3])
    with pytest.raises(ShapeError):
        model(FRAMES[3].transpose(2, 0, 1))
    assert torch.equal(
        model.predict(FRAMES[3]).probabilities, reference.predict(FRAMES[3]).probabilities
    )


@pytest.mark.parametrize(
    ("features", "logits", "said"),
    [
        ((1, FEATURES, 5, 5), (1, 9, 5, 5), "num_classes = 4"),
        ((1, 2, 5, 5), (1, NUM_CLASSES, 5, 5), "feature_dim = 6"),
        ((1, FEATURES, 3, 5), (1, NUM_CLASSES, 5, 5), "do not lie over the same image"),
        ((FEATURES, 5, 5), (1, NUM_CLASSES, 5, 5), "four axes"),
        (None, (1, NUM_CLASSES, 5, 5), "a tuple"),
    ],
    ids=["classes", "features", "grid", "rank", "type"],
)
def test_segmenter_that_breaks_its_contract(
    features: tuple[int, ...] | None, logits: tuple[int, ...], said: str, unchecked: None
) -> None:
    class Wrong(ToySegmenter):
        def decode(self, encoded: Tensor) -> Any:
            if features is None:
                return (torch.zeros(logits),)
            return SegmenterOutput(torch.zeros(features), torch.zeros(logits))

    model = wrap(Wrong(ToyNet().eval()))
    with pytest.raises(SegmenterError, match=said):
        model(FRAMES[0])
    with pytest.raises(SegmenterError, match=said):
        model.adapt(FRAMES)
