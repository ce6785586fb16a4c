"""Whatever is made of all that speaks for a frame, through the video model."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, AttentionAddon, VideoSegmenter, WarpedVotes, wrap
from ditta_adapt.baselines import ImageModel
from ditta_adapt.streaming.prediction import Evidence, labels_at, predict_frame
from tests.toys import toy_segmenter, toy_video

RAW = AdaptConfig(safety=None, look=None)
CONFIGS = [replace(RAW, memory=AttentionAddon()), replace(RAW, memory=WarpedVotes()), AdaptConfig()]


def plain(evidence: Evidence) -> Tensor:
    assert evidence.image_model is not None
    return labels_at(evidence.image_model(), evidence.size)


@pytest.mark.parametrize("config", CONFIGS, ids=["attention", "warped", "default"])
def test_the_image_model_answers_for_itself(config: AdaptConfig) -> None:
    frames = toy_video(9)
    answered = list(wrap(toy_segmenter(), config=config).answers(frames, plain, warmup=4))
    alone = ImageModel(toy_segmenter())
    expected = [alone(frame) for frame in frames]
    assert len(answered) == len(frames)
    assert all(torch.equal(*pair) for pair in zip(answered, expected, strict=True))
    # What was learned says something else, or nothing would have been shown.
    labels = list(wrap(toy_segmenter(), config=RAW).segment(frames, warmup=4))
    assert not all(torch.equal(*pair) for pair in zip(labels, expected, strict=True))


def test_a_whole_video_with_probabilities() -> None:
    frames = toy_video(7)
    predictions = wrap(toy_segmenter(), config=RAW).answers(frames, predict_frame, warmup=3)
    labels = wrap(toy_segmenter(), config=RAW).segment(frames, warmup=3)
    for prediction, expected in zip(predictions, labels, strict=True):
        assert torch.equal(prediction.labels, expected)
        assert torch.equal(prediction.probabilities.argmax(dim=0), expected)


def test_asking_changes_nothing() -> None:
    frames = toy_video(9)

    def states(model: VideoSegmenter, ask: bool) -> list[Tensor]:
        votes = []
        for _ in model.answers(frames, plain if ask else labels_alone, warmup=4):
            assert model.state is not None
            assert model.state.votes is not None
            votes.append(model.state.votes)
        return votes

    asked = states(wrap(toy_segmenter()), ask=True)
    unasked = states(wrap(toy_segmenter()), ask=False)
    assert all(torch.equal(*pair) for pair in zip(asked, unasked, strict=True))


def labels_alone(evidence: Evidence) -> Tensor:
    return evidence.logits


def test_an_answer_that_raises_leaves_the_stream_as_it_was() -> None:
    frames = toy_video(6)
    model, other = wrap(toy_segmenter()), wrap(toy_segmenter())
    for each in (model, other):
        each.adapt(frames[:4])

    def broken(evidence: Evidence) -> None:
        raise LookupError

    with pytest.raises(LookupError):
        model.answer(frames[4], broken)
    assert torch.equal(model(frames[4]), other(frames[4]))
    assert torch.equal(model(frames[5]), other(frames[5]))
