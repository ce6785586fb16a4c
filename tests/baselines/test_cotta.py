"""CoTTA: gate, moving average and restoration by hand; the whole against plain torch."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import AdaptationError, InputError
from ditta_adapt.baselines import CoTTA
from ditta_adapt.baselines.cotta import estimate_threshold, gated_labels, restore
from ditta_adapt.training.student import ema_update
from tests.baselines.nets import NormNet, NormSegmenter, PixelSegmenter, norm_segmenter
from tests.baselines.test_methods import same, scores_of
from tests.baselines.test_tent import Inference, NoGrad
from tests.toys import toy_video


def pixels(*probabilities: tuple[float, float]) -> Tensor:
    return torch.tensor(probabilities).T.reshape(1, 2, 1, -1)


def test_the_gate_is_strict_and_per_pixel() -> None:
    plain, averaged = pixels((0.9, 0.1), (0.9, 0.1)), pixels((0.2, 0.8), (0.2, 0.8))
    labels = gated_labels(plain, averaged, torch.tensor([[[0.70, 0.69]]]), 0.69)
    assert labels.tolist() == [[[0, 1]]]


@given(st.integers(0, 30), st.floats(0, 1), st.floats(-5, 5), st.floats(-5, 5))
def test_the_average_of_a_constant(steps: int, rate: float, start: float, live: float) -> None:
    own, other = torch.tensor([start]), torch.tensor([live])
    for _ in range(steps):
        ema_update([own], [other], rate=rate)
    assert own.item() == pytest.approx(live + rate**steps * (start - live), abs=1e-4)
    assert other.item() == pytest.approx(live)


def test_restoration() -> None:
    generator = torch.Generator().manual_seed(0)
    own, source = torch.ones(400, 500), torch.zeros(400, 500)
    restore([(own, source)], 0.0, generator)
    assert (own == 1).all()
    restore([(own, source)], 0.01, generator)
    assert float((own == 0).float().mean()) == pytest.approx(0.01, abs=1e-3)
    assert ((own == 0) | (own == 1)).all()
    restore([(own, source)], 1.0, generator)
    assert (own == 0).all()


class TestThreshold:
    def test_by_hand(self) -> None:
        """Of 21 values from 0.5 to 0.9 the 5 % quantile is the second, 0.52."""
        confidence = torch.linspace(0.5, 0.9, 21, dtype=torch.float64).view(3, 7)
        assert estimate_threshold(confidence) == pytest.approx(0.47)

    def test_the_published_one(self) -> None:
        assert estimate_threshold(torch.full((5,), 0.74)) == pytest.approx(0.69)

    def test_is_never_negative(self) -> None:
        assert estimate_threshold(torch.full((5,), 0.02)) == 0

    @pytest.mark.parametrize("values", [[], [0.5, 1.5], [float("nan")]])
    def test_bad_values(self, values: list[float]) -> None:
        with pytest.raises(InputError, match=r"in \[0, 1\]"):
            estimate_threshold(torch.tensor(values))


def reference(
    frames: list[np.ndarray], rate: float, alpha: float, threshold: float, scales: list[int]
) -> dict[str, Tensor]:
    """The teacher after some frames of 32 x 64, without restoration."""
    anchor = NormSegmenter(NormNet().eval())
    student, teacher = copy.deepcopy(anchor), copy.deepcopy(anchor)
    optimizer = torch.optim.Adam(student.model.parameters(), lr=rate)
    for frame in frames:
        image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            maps = []
            for scale in scales:
                for mirrored in (False, True):
                    view = F.interpolate(image, scale_factor=scale, mode="bilinear")
                    view = torch.flip(view, [3]) if mirrored else view
                    p = torch.softmax(teacher.decode(teacher.encode(view)).logits, 1)
                    p = F.interpolate(p, (32, 64), mode="bilinear")
                    maps.append(torch.flip(p, [3]) if mirrored else p)
            confidence = torch.softmax(anchor.decode(anchor.encode(image)).logits, 1)
            confidence = F.interpolate(confidence, (32, 64), mode="bilinear").max(1).values
            averaged = torch.stack(maps).mean(0).argmax(1)
            labels = torch.where(confidence > threshold, maps[0].argmax(1), averaged)
        z = F.interpolate(student.decode(student.encode(image)).logits, (32, 64), mode="bilinear")
        loss = -z.log_softmax(1).gather(1, labels[:, None]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            mine, theirs = teacher.model.parameters(), student.model.parameters()
            for own, other in zip(mine, theirs, strict=True):
                own.copy_(alpha * own + (1 - alpha) * other)
    return teacher.model.state_dict()


@pytest.mark.parametrize("threshold", [0.0, 0.45, 1.0])
def test_against_plain_torch(threshold: float) -> None:
    frames = toy_video(3, size=(32, 64))
    expected = reference(frames, 1e-3, 0.8, threshold, [1, 2])
    method = CoTTA(
        norm_segmenter(),
        learning_rate=1e-3,
        ema_rate=0.8,
        threshold=threshold,
        scales=(1.0, 2.0),
        restore_probability=0.0,
    )
    method.adapt(frames)
    teacher, start = method._answer.segmenter.model, NormNet()
    norms = dict(start.named_buffers())
    for name, value in teacher.state_dict().items():
        if name in norms:
            assert torch.equal(value, norms[name])
        elif name not in ("decoder.0.bias", "decoder.1.bias"):
            # Group norm takes most of these two out again: their gradient is rounding error in
            # part, which Adam scales up to full steps.
            torch.testing.assert_close(value, expected[name], atol=2e-5, rtol=1e-4)
            assert not torch.equal(value, dict(start.named_parameters())[name])


@pytest.mark.parametrize("scope", ["all", "decoder"])
def test_what_is_trained(scope: Any) -> None:
    segmenter = norm_segmenter()
    method = CoTTA(segmenter, scope=scope, learning_rate=1e-2, scales=(1.0,))
    method.adapt(toy_video(3))
    start = dict(segmenter.model.named_parameters())
    parameters = dict(method._answer.segmenter.model.named_parameters())
    moved = {name for name, value in parameters.items() if not torch.equal(value, start[name])}
    assert moved == {name for name in start if scope == "all" or name.startswith("decoder")}
    shared = {name for name in start if parameters[name].data_ptr() == start[name].data_ptr()}
    assert shared == start.keys() - moved


def test_restored_last_and_by_name() -> None:
    """With everything restored after each step and a teacher that is the student before that.

    Weights are one step from the pre-trained ones, the position, which no layer calls weight or
    bias, as many as there were frames: Adam's steps are of about the learning rate.
    """
    segmenter, rate = norm_segmenter(), 1e-4
    method = CoTTA(
        segmenter, learning_rate=rate, ema_rate=0.0, restore_probability=1.0, scales=(1.0,)
    )
    method.adapt(toy_video(1) * 5)
    start = dict(segmenter.model.named_parameters())
    for name, value in method._answer.segmenter.model.named_parameters():
        step = float((value - start[name]).detach().abs().max()) / rate
        low, high = (4, 5.1) if name == "position" else (0.5, 1.3)
        assert low < step < high, name


def test_restoration_is_drawn_from_the_seed() -> None:
    frames = toy_video(4)

    def teacher(seed: int) -> list[Tensor]:
        method = CoTTA(norm_segmenter(), restore_probability=0.3, scales=(1.0,), seed=seed)
        method.adapt(frames)
        return scores_of(method, frames)

    assert same(teacher(1), teacher(1))
    assert not same(teacher(1), teacher(2))


def test_the_threshold_decides_whether_views_matter() -> None:
    frames = toy_video(2, size=(32, 64))

    def losses(threshold: float, *scales: float) -> list[float]:
        return CoTTA(norm_segmenter(), threshold=threshold, scales=scales).adapt(frames)

    assert losses(0.0, 1.0) == losses(0.0, 1.0, 2.0)
    assert losses(1.0, 1.0) != losses(1.0, 1.0, 2.0)


def test_the_default_views_run_on_any_frame_size() -> None:
    method = CoTTA(norm_segmenter())
    assert len(method.adapt(toy_video(1, size=(23, 41)))) == 1


def test_a_model_that_refuses_a_size() -> None:
    class Fixed(PixelSegmenter):
        def encode(self, images: Tensor) -> Tensor:
            if tuple(images.shape[2:]) != (37, 50):
                raise ValueError("37 x 50 only")
            return images

    with pytest.raises(AdaptationError, match=r"37 x 50 only.*scales=\(1\.0,\)"):
        CoTTA(Fixed()).adapt(toy_video(1))
    assert len(CoTTA(Fixed(), scales=(1.0,)).adapt(toy_video(1))) == 1


@pytest.mark.parametrize("kind", [NoGrad, Inference])
def test_an_encoder_without_gradients(kind: type[NormSegmenter]) -> None:
    with pytest.raises(AdaptationError, match=f"encode of {kind.__name__} runs without gradients"):
        CoTTA(kind(NormNet().eval()), scales=(1.0,)).adapt(toy_video(1))


def test_an_encoder_without_gradients_that_is_not_trained() -> None:
    CoTTA(NoGrad(NormNet().eval()), scales=(1.0,), scope="decoder").adapt(toy_video(1))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "options",
    [
        {"scope": "head"},
        {"threshold": 1.1},
        {"ema_rate": -0.1},
        {"restore_probability": 2},
        {"scales": (0.5, 2.0)},
        {"scales": (0.0, 1.0)},
        {"scales": ()},
    ],
)
def test_arguments_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))} is"):
        CoTTA(norm_segmenter(), **options)
