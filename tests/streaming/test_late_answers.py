"""As on a GPU: what a device answers is read one frame later. Tried on a CPU, where none waits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ditta_adapt import AdaptConfig, SecondLook, SegmenterError, VideoSegmenter, wrap
from ditta_adapt.ops.later import Later
from tests.toys import ToySegmenter, toy_segmenter, toy_video

VIDEO = toy_video(14)
OTHER = toy_video(6, seed=9)
NO_LOOKS = replace(AdaptConfig(), look=None)
UNCHECKED = replace(NO_LOOKS, safety=None)


def answer_late(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = ("streaming.stream", "streaming.watching", "streaming.decodings", "models.second_look")
    for module in rooms:
        monkeypatch.setattr(f"ditta_adapt.{module}.answers_late", lambda tensor: True)


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_late(monkeypatch)


def adapted(config: AdaptConfig, segmenter: ToySegmenter | None = None) -> VideoSegmenter:
    model = wrap(segmenter or toy_segmenter(), config=config)
    model.adapt(VIDEO[:4])
    return model


def labels_of(config: AdaptConfig, frames: list[np.ndarray]) -> list[torch.Tensor]:
    model = adapted(config)
    return [model(frame) for frame in frames]


@pytest.mark.parametrize("config", [NO_LOOKS, UNCHECKED], ids=["no", "un"])
def test_the_same_labels_while_one_scene_is_seen(
    config: AdaptConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = labels_of(config, VIDEO[4:])
    answer_late(monkeypatch)
    found = labels_of(config, VIDEO[4:])
    assert all(map(torch.equal, expected, found))


def test_only_frames_that_are_looked_at_may_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the look has its say on who speaks at once, or one frame later."""
    config = AdaptConfig(targets=None, look=SecondLook(first=(1, 4), budget=0))
    expected = labels_of(config, VIDEO[4:])
    answer_late(monkeypatch)
    found = labels_of(config, VIDEO[4:])
    differ = {t for t in range(10) if not torch.equal(expected[t], found[t])}
    assert differ <= {0, 3}


def test_a_cut_is_known_one_frame_later(late: None) -> None:
    # With checks, on weights that are kept for certain.
    monitored = replace(NO_LOOKS, safety=AdaptConfig().safety)
    model = adapted(monitored)
    stream = model._stream
    assert stream.monitor is not None
    for frame in VIDEO[4:8]:
        model(frame)
    model(OTHER[0])
    state = stream.state
    assert state is not None
    assert state.monitor is not None
    assert state.watched is not None
    # This frame was decoded before anybody knew; the next will not be.
    assert state.monitor.left is None
    assert state.watched.left is not None
    model(OTHER[1])
    state = stream.state
    assert state is not None
    assert state.monitor is not None
    assert state.monitor.left is not None
    # Votes before the cut are gone: the memory is that of this frame alone.
    alone = wrap(toy_segmenter(), config=monitored)
    alone.adapt(VIDEO[:4])
    assert state.votes is not None
    assert float(state.votes.sum(0).max()) <= 1 + 1e-5


def test_a_cut_that_nobody_knows_yet_is_kept_with_the_stream(late: None, tmp_path: Path) -> None:
    """The second of two, after which no weights change: memory and opinions start anew."""
    third = [np.ascontiguousarray(255 - frame) for frame in toy_video(2, seed=5)]
    model = adapted(replace(NO_LOOKS, safety=AdaptConfig().safety))
    for frame in (*VIDEO[4:8], *OTHER[:4], third[0]):
        model(frame)
    state = model._stream.state
    assert state is not None
    assert state.monitor is not None
    assert state.watched is not None
    assert (state.monitor.cut, state.watched.cut) == (False, True)
    model.save_pretrained(tmp_path, state=True)
    loaded = wrap(toy_segmenter()).load_pretrained(tmp_path)
    assert torch.equal(model(third[1]), loaded(third[1]))
    ours, theirs = model._stream.state, loaded._stream.state
    assert ours is not None
    assert theirs is not None
    assert ours.log == theirs.log
    assert ours.log is not None
    assert ours.log.cut
    torch.testing.assert_close(ours.votes, theirs.votes, rtol=0, atol=0)


def test_a_verdict_counts_from_the_next_frame_on(late: None) -> None:
    model = adapted(replace(AdaptConfig(), look=SecondLook(first=(1,), budget=0)))
    state = model._stream.state
    assert state is not None
    assert state.judge is not None
    before = state.judge
    model(VIDEO[4])
    state = model._stream.state
    assert state is not None
    assert state.hearing is not None
    assert state.judge == before
    assert state.judged != before
    model(VIDEO[5])
    assert model._stream.state is not None
    assert model._stream.state.judge == state.judged


def test_numbers_that_are_not_finite_are_found_with_the_next_frame(late: None) -> None:
    segmenter = toy_segmenter()
    model = adapted(UNCHECKED, segmenter)
    own = model._stream.student.segmenter
    assert isinstance(own, ToySegmenter)
    bias = own.model.decoder[-1].bias
    kept = bias.detach().clone()
    with torch.no_grad():
        bias.fill_(torch.nan)
    model(VIDEO[4])
    with torch.no_grad():
        bias.copy_(kept)
    with pytest.raises(SegmenterError, match="of the frame before this one"):
        model(VIDEO[5])
    # Forgotten: the next frame is the first of a stream.
    assert model._stream.state is None
    assert model(VIDEO[6]).max() < 4


def test_a_look_that_is_not_finite_says_what_the_usual_one_does(late: None) -> None:
    class Lost(ToySegmenter):
        """Sees nothing in frames of another size."""

        def decode(self, encoded: torch.Tensor) -> object:  # type: ignore[override]
            output = super().decode(encoded)
            if encoded.shape[2] != 19:
                output = replace(output, logits=output.logits * torch.nan)
            return output

    plain = toy_segmenter()
    model = adapted(AdaptConfig(), Lost(plain.model))
    for frame in VIDEO[4:]:
        assert model.predict(frame).probabilities.isfinite().all()


def test_later_holds_what_was_given() -> None:
    later = Later(torch.tensor([[0.5, 1.0]]))
    assert later.read() == [0.5, 1.0]
    assert later.read() == [0.5, 1.0]
    assert Later(torch.tensor([True, False])).read() == [1.0, 0.0]
