"""The stream across cuts: whose weights predict, and what is said about it."""

import copy
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import (
    AdaptConfig,
    Checks,
    Frame,
    PropagationError,
    SegmenterOutput,
    SelfLabels,
    Training,
    VideoSegmenter,
    WarpedVotes,
    wrap,
)
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.reliability import reliability
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

VIDEO = toy_video(8, (16, 20))
CUT_TO = [np.ascontiguousarray(255 - frame) for frame in VIDEO]
MEMORY_ALONE = AdaptConfig(targets=None, memory=WarpedVotes(decay=1.0), safety=None, look=None)
CONFIG = AdaptConfig(
    targets=SelfLabels(), training=Training(learning_rate=3e-3, passes=5), look=None
)


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


def test_the_raw_method_is_not_watched() -> None:
    model = adapted(
        AdaptConfig(
            targets=SelfLabels(), training=Training(learning_rate=3e-3, passes=5), safety=None
        )
    )
    model(CUT_TO[4])
    assert model.fallback is None
    assert wrap(toy_segmenter()).fallback is None


def test_a_second_opinion_undoes_what_went_too_far() -> None:
    model = adapted()
    with torch.no_grad():
        for parameter in model._stream.student.segmenter.model.decoder[-1].parameters():
            parameter.mul_(-1)
    # It is asked after the frame was decoded, and acts from the next one on.
    model(VIDEO[4])
    assert model.fallback == "the adapted weights change more than they should"
    seen = model.predict(VIDEO[5], fuse=False)
    pretrained = wrap(toy_segmenter()).predict(VIDEO[5])
    torch.testing.assert_close(seen.probabilities, pretrained.probabilities)


def test_weights_that_take_over_remember_their_own_votes() -> None:
    """Of those that went too far nothing is left in the next frame, however sure they were."""
    config = replace(CONFIG, memory=WarpedVotes(decay=1.0))
    model = wrap(toy_segmenter(), propagator=ShiftPropagator(step=-2), config=config)
    assert model.adapt(VIDEO[:4]).adapted
    with torch.no_grad():
        last = model._stream.student.segmenter.model.decoder[-1]
        last.weight.zero_()
        last.bias.copy_(torch.tensor([40.0, 0, 0, 0]))
    model.clear_memory()
    assert (model(VIDEO[4]) == 0).all()
    assert model.fallback == "the adapted weights change more than they should"
    taken_over = model.predict(VIDEO[5]).probabilities
    fresh = wrap(toy_segmenter(), propagator=ShiftPropagator(step=-2), config=MEMORY_ALONE)
    fresh.adapt(VIDEO[:4])
    fresh.clear_memory()
    fresh(VIDEO[4])
    torch.testing.assert_close(taken_over, fresh.predict(VIDEO[5]).probabilities)


def test_a_copy_streams_on_by_itself() -> None:
    model = adapted()
    model(VIDEO[4])
    twin = copy.deepcopy(model)
    for frame in VIDEO[5:]:
        assert torch.equal(twin(frame), model(frame))


class BadAtClosing(ShiftPropagator):
    """Raises in the middle of the work, or when a session is closed, if told so."""

    warps_fail = closing_fails = False

    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[Any]:
        with super().open(frames) as session:
            honest = session.warp

            def warp(maps: Tensor, t: int, to: int) -> tuple[Tensor, Tensor]:
                if self.warps_fail:
                    raise RuntimeError("lost")
                return honest(maps, t, to)

            session.warp = warp
            yield session
        if self.closing_fails:
            raise RuntimeError("stuck")


def test_an_error_in_closing_hides_no_other_and_loses_no_frame() -> None:
    propagator, other = BadAtClosing(-2), ShiftPropagator(-2)
    model, reference = (
        wrap(toy_segmenter(), propagator=each, config=CONFIG) for each in (propagator, other)
    )
    for each in (model, reference):
        each.adapt(VIDEO[:4])
        each(VIDEO[4])
    propagator.warps_fail = propagator.closing_fails = True
    with pytest.raises(PropagationError, match="lost"):
        model(VIDEO[5])
    propagator.warps_fail = propagator.closing_fails = False
    assert torch.equal(model(VIDEO[5]), reference(VIDEO[5]))


def test_reset_is_done_although_the_session_cannot_be_closed() -> None:
    propagator = BadAtClosing(-2)
    model = wrap(toy_segmenter(), propagator=propagator, config=CONFIG)
    model.adapt(VIDEO[:4])
    model(VIDEO[4])
    propagator.closing_fails = True
    with pytest.warns(UserWarning, match="could not be closed.*stuck"):
        model.reset()
    assert model.report is None
    assert torch.equal(model(VIDEO[4]), wrap(toy_segmenter())(VIDEO[4]))


def test_segment_follows_the_callers_autocast() -> None:
    labels = wrap(toy_segmenter(), propagator=ShiftPropagator(-2)).segment(VIDEO, warmup=4)
    with torch.autocast("cpu", torch.bfloat16):
        next(labels)
    assert len(list(labels)) == len(VIDEO) - 1


def test_the_default_preset_with_a_warping_propagator_has_nothing_random() -> None:
    """Other seeds, the same labels: the spread over seeds is 0."""
    answers = []
    for seed in (0, 1, 2):
        model = wrap(
            toy_segmenter(),
            propagator=ShiftPropagator(step=-2),
            config=AdaptConfig(training=Training(learning_rate=3e-3), safety=None, seed=seed),
        )
        assert model.adapt(VIDEO[:4]).adapted
        answers.append([model(frame) for frame in VIDEO[4:]])
    for other in answers[1:]:
        assert all(torch.equal(a, b) for a, b in zip(answers[0], other, strict=True))


def test_a_frame_is_decoded_once() -> None:
    """Also at a cut, which chooses the weights before; a second opinion costs one more."""
    decoded: list[int] = []

    class Counting(ToySegmenter):
        def decode(self, encoded: Tensor) -> SegmenterOutput:
            decoded.append(1)
            return super().decode(encoded)

    config = replace(CONFIG, safety=Checks(second_opinion_every=4))
    model = wrap(Counting(ToyNet().eval()), propagator=ShiftPropagator(step=-2), config=config)
    assert model.adapt(VIDEO[:4]).adapted
    counts = []
    for frame in (VIDEO[4], VIDEO[5], CUT_TO[6], CUT_TO[7], CUT_TO[7]):
        decoded.clear()
        model(frame)
        counts.append(len(decoded))
    assert counts == [2, 1, 1, 1, 2]
    assert model.fallback is not None


def test_a_process_may_end_in_mid_stream() -> None:
    """With the propagator's session still open, and no word to the model."""
    program = (
        "from tests.toys import toy_segmenter, toy_video\n"
        "from tests.baselines.shift_propagator import ShiftPropagator\n"
        "from ditta_adapt import wrap\n"
        "model = wrap(toy_segmenter(), propagator=ShiftPropagator())\n"
        "model.adapt(toy_video(3, (16, 20)))\n"
        "model(toy_video(4, (16, 20))[3])\n"
        "print('streamed')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "streamed\n"), done.stderr[-300:]
