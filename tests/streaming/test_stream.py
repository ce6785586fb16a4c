"""The stream across cuts: whose weights predict, and what is said about it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, VideoSegmenter, wrap
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.reliability import reliability
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import ToySegmenter, toy_segmenter, toy_video

VIDEO = toy_video(8, (16, 20))
CUT_TO = [np.ascontiguousarray(255 - frame) for frame in VIDEO]
CONFIG = AdaptConfig(targets="self", learning_rate=3e-3, passes=5)


def adapted(config: AdaptConfig = CONFIG) -> VideoSegmenter:
    model = wrap(toy_segmenter(), propagator=ShiftPropagator(step=-2), config=config)
    report = model.adapt(VIDEO[:4])
    assert report.adapted
    return model


def probabilities(segmenter: ToySegmenter, frame: np.ndarray) -> Tensor:
    """Of the image model alone, weighted on its grid and then resized."""
    with torch.no_grad():
        images = segmenter.preprocess(torch.from_numpy(frame).permute(2, 0, 1)[None])
        logits = segmenter.decode(segmenter.encode(images)).logits
        votes = logits.softmax(1) * reliability(logits, normalizer="classes").clamp(min=1e-6)
        resized = resize_logits(votes, frame.shape[:2])[0]
    return resized / resized.sum(0)


def test_another_scene_is_predicted_with_pretrained_weights() -> None:
    model = adapted()
    model.predict(VIDEO[4])
    assert model.fallback is None
    seen = model.predict(CUT_TO[5])
    assert model.fallback == "another scene than the one that was adapted to"
    torch.testing.assert_close(seen.probabilities, probabilities(toy_segmenter(), CUT_TO[5]))


def test_the_scene_comes_back() -> None:
    model, uncut = adapted(), adapted()
    for frame in (VIDEO[4], CUT_TO[5], VIDEO[4]):
        model(frame)
    assert model.fallback is None
    uncut.clear_memory()
    torch.testing.assert_close(
        model.predict(VIDEO[7], fuse=False).probabilities,
        uncut.predict(VIDEO[7], fuse=False).probabilities,
    )


@pytest.mark.parametrize("forget", ["clear_memory", "reset"])
def test_a_new_stream_starts_without_alarm(forget: str) -> None:
    model = adapted()
    model(CUT_TO[4])
    assert model.fallback is not None
    getattr(model, forget)()
    assert model.fallback is None


def test_the_raw_method_has_no_watchdog() -> None:
    model = adapted(AdaptConfig(targets="self", accept="always", learning_rate=3e-3, passes=5))
    model(CUT_TO[4])
    assert model.fallback is None
    assert wrap(toy_segmenter()).fallback is None


def test_a_second_opinion_undoes_what_went_too_far() -> None:
    model = adapted()
    with torch.no_grad():
        for parameter in model._stream.student.segmenter.model.decoder[-1].parameters():
            parameter.mul_(-1)
    seen = model.predict(VIDEO[4])
    assert model.fallback == "the adapted weights change more than they should"
    torch.testing.assert_close(seen.probabilities, probabilities(toy_segmenter(), VIDEO[4]))


def test_the_default_preset_with_a_carrying_teacher_has_nothing_random() -> None:
    """Other seeds, the same labels: the spread over seeds is 0."""
    answers = []
    for seed in (0, 1, 2):
        model = wrap(
            toy_segmenter(),
            propagator=ShiftPropagator(step=-2),
            config=AdaptConfig(accept="always", learning_rate=3e-3, seed=seed),
        )
        assert model.adapt(VIDEO[:4]).adapted
        answers.append([model(frame) for frame in VIDEO[4:]])
    for other in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(answers[0], other, strict=True))
