"""Networks of clips: which frames they see, in which order, and what is kept in between."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ditta_adapt import InputError, SegmenterError, ShapeError
from ditta_adapt.baselines import ClipClassification, ClipNetwork, MaskClassifier, Method
from ditta_adapt.baselines.mask_classifier_training import train_mask_classifier
from tests.toys import toy_video

SIZE = (24, 32)
AS_IT_IS: dict[str, Any] = {"mean": (0, 0, 0), "std": (1, 1, 1)}


def numbered(length: int) -> list[np.ndarray]:
    """Frames whose every pixel is their number."""
    return [np.full((*SIZE, 3), t, np.uint8) for t in range(length)]


class Recording(nn.Module):
    """Says class 1 everywhere, and writes down the numbers of the frames it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[int]] = []
        self.modes: list[bool] = []

    def forward(self, clip: Tensor) -> Tensor:
        assert clip.dtype == torch.float32
        self.seen.append((clip[0, :, 0, 0, 0] * 255).round().int().tolist())
        self.modes.append(self.training)
        return torch.tensor([0.0, 1.0]).view(1, 2, 1, 1).expand(1, 2, 3, 4)


class Counting(Recording):
    """Keeps a state: how often it ran since the video began."""

    def __init__(self) -> None:
        super().__init__()
        self.count = self.resets = 0

    def reset(self) -> None:
        self.count, self.resets = 0, self.resets + 1

    def forward(self, clip: Tensor) -> Tensor:
        self.count += 1
        return super().forward(clip)


def labels_of(method: ClipNetwork, frames: Sequence[np.ndarray]) -> list[Tensor]:
    return [method(frame) for frame in frames]


def test_a_clip_is_the_frames_before_and_the_first_one_stands_for_the_missing() -> None:
    network = Recording()
    method = ClipNetwork(network, offsets=(-4, -1, 0), **AS_IT_IS)
    assert isinstance(method, Method)
    labels = labels_of(method, numbered(6))
    assert network.seen == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [0, 2, 3], [0, 3, 4], [1, 4, 5]]
    assert all(each.shape == SIZE and each.dtype == torch.int64 for each in labels)
    assert (labels[0] == 1).all()


def test_the_warm_up_comes_before_the_stream() -> None:
    network = Recording()
    method = ClipNetwork(network, offsets=(-3, 0), **AS_IT_IS)
    frames = numbered(8)
    method.adapt(frames[:5])
    assert network.seen == []
    labels_of(method, frames[5:])
    assert network.seen == [[2, 5], [3, 6], [4, 7]]
    method.clear_memory()
    labels_of(method, frames[:2])
    assert network.seen[3:] == [[0, 0], [0, 1]]


def test_a_network_with_a_state_sees_every_frame_once() -> None:
    network = Counting()
    method = ClipNetwork(network, offsets=(0,), **AS_IT_IS)
    frames = numbered(7)
    method.adapt(frames[:4])
    labels_of(method, frames[4:])
    assert network.seen == [[t] for t in range(7)]
    assert network.count == 7
    before = network.resets
    method.reset()
    assert network.resets == before + 1
    assert network.count == 0


def test_frames_are_resized_and_normalised() -> None:
    shown = []

    def network(clip: Tensor) -> Tensor:
        shown.append(clip)
        return torch.zeros(1, 2, 2, 2)

    frame = np.zeros((*SIZE, 3), np.uint8)
    frame[..., 0] = 255
    ClipNetwork(network, offsets=(0,), size=(12, 16))(frame)
    # (1 - .485) / .229 and -.456 / .224.
    assert shown[0].shape == (1, 1, 3, 12, 16)
    assert shown[0][0, 0, :2, 0, 0].tolist() == pytest.approx([2.248908, -2.035714], abs=1e-5)


def test_its_modules_are_left_in_the_mode_they_were_in() -> None:
    network = Recording()
    network.add_module("frozen", nn.BatchNorm2d(1).eval())
    network.train()
    network.frozen.eval()
    ClipNetwork(network, offsets=(0,))(numbered(1)[0])
    assert network.modes == [False]
    assert network.training
    assert not network.frozen.training


def test_a_network_that_fails_leaves_the_stream_as_it_was() -> None:
    class Failing(Recording):
        broken = False

        def forward(self, clip: Tensor) -> Tensor:
            if self.broken:
                raise ValueError("no memory left")
            return super().forward(clip)

    network = Failing()
    method = ClipNetwork(network, offsets=(-1, 0), **AS_IT_IS)
    frames = numbered(3)
    method(frames[0])
    network.broken = True
    with pytest.raises(SegmenterError, match="network raised ValueError: no memory left"):
        method(frames[1])
    network.broken = False
    method(frames[1])
    assert network.seen == [[0, 0], [0, 1]]


@pytest.mark.parametrize(
    "output",
    [
        None,
        torch.zeros(1, 2, 4),
        torch.zeros(2, 2, 4, 4),
        torch.zeros(1, 2, 4, 4).long(),
        torch.full((1, 2, 4, 4), torch.nan),
    ],
)
def test_what_is_no_logits(output: Any) -> None:
    with pytest.raises(SegmenterError, match="expected finite logits"):
        ClipNetwork(lambda clip: output, offsets=(0,))(numbered(1)[0])


def test_what_is_refused() -> None:
    for offsets in ((), (-3,), (0, -3), (-1, -1, 0), (0, 1)):
        with pytest.raises(InputError, match="expected rising ones, the last one 0"):
            ClipNetwork(Recording(), offsets=offsets)
    method = ClipNetwork(Recording())
    with pytest.raises(InputError, match="no frames"):
        method.adapt([])
    method(numbered(1)[0])
    with pytest.raises(ShapeError):
        method(toy_video(1, (10, 10))[0])


def test_no_network(unchecked: None) -> None:
    with pytest.raises(InputError, match="network is a int"):
        ClipNetwork(3)  # type: ignore[arg-type]


def test_a_warm_up_that_fails_leaves_the_stream_as_it_was() -> None:
    network = Counting()
    method = ClipNetwork(network, offsets=(-1, 0), **AS_IT_IS)
    frames = numbered(6)
    method(frames[0])

    def stop(progress: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        method.adapt(frames[3:], progress=stop)
    method(frames[1])
    assert network.seen[-1] == [0, 1]


def test_in_inference_mode_a_network_may_write_into_its_clip() -> None:
    class Writing(Recording):
        def forward(self, clip: Tensor) -> Tensor:
            clip.mul_(1)
            return super().forward(clip)

    with torch.inference_mode():
        assert ClipNetwork(Writing(), offsets=(0,))(numbered(1)[0]).shape == SIZE


class WithFeatures(nn.Module):
    """Logits and features of the last frame: its mean colours, in two forms."""

    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        last = clip[:, -1]
        return torch.cat([last[:, :1], 1 - last[:, :1]], dim=1), last


def test_a_pair_has_features_too() -> None:
    frame = np.full((*SIZE, 3), 51, np.uint8)
    method = ClipNetwork(WithFeatures(), offsets=(-1, 0), **AS_IT_IS)
    prediction = method.predict(frame)
    assert prediction.features.shape == (3, *SIZE)
    torch.testing.assert_close(prediction.features, torch.full((3, *SIZE), 0.2))
    # Logits .2 and .8: the second class, by 1 / (1 + exp(-.6)).
    assert (prediction.labels == 1).all()
    assert float(prediction.confidence[0, 0]) == pytest.approx(1 / (1 + np.exp(-0.6)))
    assert (method(frame) == 1).all()
    with pytest.raises(SegmenterError, match="logits alone"):
        ClipNetwork(Recording(), **AS_IT_IS).predict(frame)


class WrongFeatures(nn.Module):
    def forward(self, clip: Tensor) -> tuple[Tensor, Tensor]:
        return clip[:, -1], clip[0, -1]


def test_features_of_another_shape_are_refused() -> None:
    with pytest.raises(SegmenterError, match=r"expected finite features \(1, D, h, w\)"):
        ClipNetwork(WrongFeatures(), **AS_IT_IS)(numbered(1)[0])


@pytest.mark.usefixtures("unchecked")
def test_masks_are_named_by_a_network_of_clips() -> None:
    """It says class 1 everywhere; a classifier of its features knows what is red."""
    frames = []
    for t in range(6):
        frame = np.zeros((*SIZE, 3), np.uint8)
        frame[:, : 16 + t, 0], frame[:, 16 + t :, 2] = 200, 200
        frames.append(frame)
    labels = [(frame[..., 0] == 0).astype(np.int64) for frame in frames]
    network = ClipNetwork(WithFeatures(), offsets=(-1, 0), **AS_IT_IS)
    options: dict[str, Any] = {"points_per_side": 4, "window": 3}
    classifier = train_mask_classifier(
        [(frames, labels)], network, "flow", 2, epochs=30, learning_rate=0.02, **options
    )
    assert (classifier.source, classifier.in_features) == ("segmenter", 3)
    # The videos that taught it are forgotten, so another size is another video.
    assert network(np.zeros((8, 8, 3), np.uint8)).shape == (8, 8)
    network.reset()
    method = ClipClassification(network, "flow", classifier, base=False, **options)
    assert isinstance(method, Method)
    told: list[int] = []
    method.adapt(frames[:2], progress=lambda progress: told.append(progress.done))
    assert told == [1, 2]
    for frame, truth in zip(frames[2:], labels[2:], strict=True):
        assert float((method(frame).numpy() == truth).mean()) > 0.85
    method.reset()
    again = [method(frame) for frame in frames]
    method.clear_memory()
    assert all(torch.equal(method(f), one) for f, one in zip(frames, again, strict=True))
    with pytest.raises(InputError, match="expected a ClipNetwork"):
        ClipClassification(WithFeatures(), "flow", classifier)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="propagator's features"):
        ClipClassification(network, "flow", MaskClassifier(3, 2, "propagator"))
