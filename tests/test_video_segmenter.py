"""The whole: adapt, stream, segment, reset."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    CacheBudget,
    MaskVote,
    Progress,
    ShapeError,
    VideoSegmenter,
    WarpedVotes,
    wrap,
)
from tests.labelled import labels_of, same
from tests.toys import StillPropagator, ToySegmenter, prompting, toy_segmenter, toy_video

# What can be learned on toys is mostly wrong: the checks, which have their own tests, are off.
RAW = AdaptConfig(safety=None, look=None)
RESIDUAL, WARPED = replace(RAW, memory=AttentionAddon()), replace(RAW, memory=WarpedVotes())
MASKS = replace(RAW, targets=MaskVote(prompt_threshold=0.3))
PAPER = prompting(AdaptConfig.paper(), 0.3)


@pytest.mark.parametrize(
    "config",
    [RAW, RESIDUAL, MASKS, PAPER],
    ids=["default", "residual", "masks", "paper"],
)
class TestAdaptAndStream:
    def test_labels_are_int64_at_frame_size_and_weights_moved(self, config: AdaptConfig) -> None:
        frames = toy_video(6)
        model = wrap(toy_segmenter(), config=config)
        report = model.adapt(frames[:4])
        assert report.adapted
        assert report.num_frames == 4
        assert len(report.losses) == 4 * config.training.passes
        assert set(report.seconds) == {"predict", "teach", "adapt"}
        for labels in labels_of(model, frames[4:]):
            assert labels.shape == frames[0].shape[:2]
            assert labels.dtype == torch.int64
        fresh = wrap(toy_segmenter(), config=RAW).predict(frames[5], fuse=False).probabilities
        assert not torch.equal(model.predict(frames[5], fuse=False).probabilities, fresh)

    def test_repeats_bit_for_bit(self, config: AdaptConfig) -> None:
        frames = toy_video(6)
        outputs = []
        for noise in (1, 2):
            torch.manual_seed(noise)  # The caller's random state must not matter.
            model = wrap(toy_segmenter(), config=config)
            losses = model.adapt(frames[:4]).losses
            outputs.append((losses, [model.predict(frame).probabilities for frame in frames[4:]]))
        assert outputs[0][0] == outputs[1][0]
        assert same(outputs[0][1], outputs[1][1])

    def test_adapting_again_starts_from_the_pretrained_weights(self, config: AdaptConfig) -> None:
        frames, other = toy_video(6), toy_video(5, seed=3)
        model = wrap(toy_segmenter(), config=config)
        model.adapt(other)
        model.adapt(frames[:4])
        again = labels_of(model, frames[4:])
        fresh = wrap(toy_segmenter(), config=config)
        fresh.adapt(frames[:4])
        assert same(again, labels_of(fresh, frames[4:]))

    def test_reset_gives_the_image_model_back(self, config: AdaptConfig) -> None:
        frames = toy_video(6)
        untouched = labels_of(wrap(toy_segmenter(), config=RAW), frames)
        model = wrap(toy_segmenter(), config=config)
        model.adapt(frames[:4])
        model.reset()
        assert model.report is None
        assert same(labels_of(model, frames), untouched)

    def test_callers_random_state_is_untouched(self, config: AdaptConfig) -> None:
        model = wrap(toy_segmenter(), config=config)
        torch.manual_seed(7)
        before = torch.get_rng_state()
        model.adapt(toy_video(3))
        assert torch.equal(torch.get_rng_state(), before)

    def test_works_under_no_grad_and_inference_mode(self, config: AdaptConfig) -> None:
        frames = toy_video(5)
        reference = wrap(toy_segmenter(), config=config)
        losses = reference.adapt(frames[:4]).losses
        for mode in (torch.no_grad(), torch.inference_mode()):
            model = wrap(toy_segmenter(), config=config)
            with mode:
                assert model.adapt(frames[:4]).losses == losses
                assert torch.equal(model(frames[4]), reference(frames[4]))
            reference.adapt(frames[:4])


def test_image_model_before_adaptation() -> None:
    segmenter, frame = toy_segmenter(), toy_video(1)[0]
    with torch.no_grad():
        image = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1
        logits = segmenter.model(image)
        expected = torch.nn.functional.interpolate(
            logits, frame.shape[:2], mode="bilinear", align_corners=False
        ).softmax(1)[0]
    prediction = wrap(segmenter).predict(frame)
    torch.testing.assert_close(prediction.probabilities, expected)
    assert torch.equal(prediction.labels, expected.argmax(0))


def test_one_encoder_pass_a_frame() -> None:
    counts: list[int] = []

    class Counting(ToySegmenter):
        def encode(self, images: Tensor) -> Tensor:
            counts.append(images.shape[0])
            return super().encode(images)

    frames = toy_video(9)
    model = wrap(Counting(toy_segmenter().model), config=PAPER)
    model.adapt(frames[:4])
    assert counts == [1] * 4  # Five passes and two decoders, and every frame encoded once.
    labels_of(model, frames[4:])
    assert counts == [1] * 9


def test_encodings_that_fit_no_budget_are_recomputed_with_the_same_result() -> None:
    frames = toy_video(6)
    losses = []
    for budget in (2**30, 20_000, 0):
        cache = CacheBudget(device_bytes=budget, cpu_bytes=0)
        model = wrap(toy_segmenter(), config=RAW, cache=cache)
        losses.append(model.adapt(frames).losses)
    assert losses[0] == losses[1] == losses[2]


def test_stream_continues_from_the_warmup() -> None:
    """With attention, of which the frame before is all the memory."""
    frames = toy_video(5)
    model = wrap(toy_segmenter(), config=RESIDUAL)
    model.adapt(frames[:4])
    continued = model.predict(frames[4]).probabilities
    model.clear_memory()
    cut = model.predict(frames[4]).probabilities
    assert not torch.equal(continued, cut)
    model.clear_memory()
    model(frames[3])
    assert torch.equal(model.predict(frames[4]).probabilities, continued)


@pytest.mark.parametrize("config", [RESIDUAL, WARPED], ids=["residual", "carried"])
def test_fuse_false_is_the_decoder_alone(config: AdaptConfig) -> None:
    frames = toy_video(5)
    model = wrap(toy_segmenter(), config=config)
    model.adapt(frames[:4])
    alone = model.predict(frames[4], fuse=False).probabilities
    upsampled = F.interpolate(
        decoded(model, frames[4]), frames[4].shape[:2], mode="bilinear", align_corners=False
    )
    torch.testing.assert_close(alone, upsampled.softmax(1)[0])
    model.adapt(frames[:4])
    assert not torch.equal(model.predict(frames[4]).probabilities, alone)


def test_on_the_first_frame_there_is_nothing_to_attend_to() -> None:
    frames = toy_video(5)
    model = wrap(toy_segmenter(), config=RESIDUAL)
    model.adapt(frames[:4])
    alone = model.predict(frames[4], fuse=False).probabilities
    model.clear_memory()
    assert torch.equal(model.predict(frames[4]).probabilities, alone)


def test_predictions_are_distributions() -> None:
    frames = toy_video(6)
    model = wrap(toy_segmenter(), config=RAW)
    model.adapt(frames[:3])
    for frame in frames[3:]:
        prediction = model.predict(frame)
        total = prediction.probabilities.sum(0)
        torch.testing.assert_close(total, torch.ones_like(total))
        assert ((prediction.reliability >= 0) & (prediction.reliability <= 1)).all()
        assert torch.equal(prediction.probabilities.argmax(0), prediction.labels)


def decoded(model: VideoSegmenter, frame: np.ndarray) -> Tensor:
    """Logits of the adapted model, on its decoder's grid."""
    net = model._stream.student.segmenter.model
    with torch.no_grad():
        return net(torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1)


def test_progress_counts_every_stage_to_its_end() -> None:
    for config, stages in ((RAW, 3), (MASKS, 4)):
        steps: list[Progress] = []
        wrap(toy_segmenter(), config=config).adapt(toy_video(4), progress=steps.append)
        seen = dict.fromkeys(step.stage for step in steps)
        assert len(seen) == stages
        for stage in seen:
            done = [step.done for step in steps if step.stage == stage]
            assert done == sorted(done)
            assert done[0] >= 1
            assert done[-1] <= next(step.total for step in steps if step.stage == stage)
        assert all((step.loss is not None) == (step.stage == "adapt") for step in steps)


def test_teacher_is_closed_before_streaming() -> None:
    teacher = StillPropagator()
    frames = toy_video(6)
    model = wrap(toy_segmenter(), propagator=teacher, config=MASKS)
    model.adapt(frames[:4])
    calls = [len(session.calls) for session in teacher.sessions]
    labels_of(model, frames[4:])
    assert [len(session.calls) for session in teacher.sessions] == calls


def test_frame_size_may_change_only_after_a_cut(unchecked: None) -> None:
    small, large = toy_video(3), toy_video(2, size=(48, 60))
    model = wrap(toy_segmenter(), config=RAW)
    model.adapt(small)
    kept = model.predict(small[2]).probabilities
    with pytest.raises(ShapeError, match="clear_memory"):
        model(large[0])
    assert kept.shape == model.predict(small[2]).probabilities.shape
    model.clear_memory()
    assert model(large[0]).shape == (48, 60)


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (16, 97)])
def test_any_frame_size(size: tuple[int, int]) -> None:
    frames = toy_video(4, size=size)
    model = wrap(toy_segmenter(), config=RAW)
    model.adapt(frames[:3])
    assert model(frames[3]).shape == size


def test_tensor_frames_equal_arrays() -> None:
    frames = toy_video(5)
    tensors = [torch.from_numpy(frame) for frame in frames]
    results = []
    for video in (frames, tensors):
        model = wrap(toy_segmenter(), config=RAW)
        model.adapt(video[:4])
        results.append(model.predict(video[4]).probabilities)
    assert torch.equal(*results)


def test_labels_are_those_of_predict() -> None:
    frames = toy_video(6)
    for adapt in (False, True):
        called, predicted = wrap(toy_segmenter(), config=RAW), wrap(toy_segmenter(), config=RAW)
        if adapt:
            called.adapt(frames[:3])
            predicted.adapt(frames[:3])
        for frame in frames[3:]:
            assert torch.equal(called(frame), predicted.predict(frame).labels)


def test_a_report_in_a_notebook() -> None:
    model = wrap(toy_segmenter())
    report = replace(model.adapt(toy_video(3)), reason="1 < 2 & so on")
    page = report._repr_html_()
    assert "<p>1 &lt; 2 &amp; so on</p>" in page
    assert f"<th>steps</th><td>{len(report.losses)}</td>" in page
    assert page.count("<tr>") == page.count("</tr>") == 4 + len(report.seconds)
