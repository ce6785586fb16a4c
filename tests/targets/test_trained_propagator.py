"""A propagator that is trained on the warm-up, from the image model's own regions."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, InputError, PropagatorTraining, VideoSegmenter, wrap
from ditta_adapt.config import CacheBudget
from ditta_adapt.progress import silent
from ditta_adapt.targets.trained_propagator import train_propagator
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.matching import MatchingPropagator
from ditta_adapt.teachers.test_time import PropagatorReport
from tests.teachers.brightness_propagator import BrightnessPropagator
from tests.toys import toy_segmenter, toy_video

SHORT = PropagatorTraining(iterations=2)


def video_model(training: PropagatorTraining | None, **options: object) -> VideoSegmenter:
    config = AdaptConfig(propagator_training=training, look=None, **options)  # type: ignore[arg-type]
    return wrap(toy_segmenter(), propagator=MatchingPropagator(cells=16), config=config)


def warm_up_of(length: int) -> WarmUp:
    frames = [torch.from_numpy(frame).permute(2, 0, 1) for frame in toy_video(length)]
    return WarmUp.from_frames(toy_segmenter(), frames, silent, budget=CacheBudget())


def bound() -> MatchingPropagator:
    propagator = MatchingPropagator(cells=16)
    propagator.bind(toy_segmenter())
    return propagator


def test_nothing_is_trained_unless_asked() -> None:
    propagator = BrightnessPropagator()
    assert train_propagator(propagator, warm_up_of(4), AdaptConfig(), silent) == (propagator, "")


def test_it_is_trained_from_the_first_frames_regions() -> None:
    propagator, told = bound(), []
    config = AdaptConfig(propagator_training=SHORT)
    trained, note = train_propagator(propagator, warm_up_of(6), config, told.append)
    assert trained is not propagator
    assert note.startswith("the propagator was trained for 2 steps; the loss of held-out cycles")
    assert [step.done for step in told] == [1, 2]
    # As it was.
    assert propagator._trained is None


def test_options_and_seed_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}

    def record(propagator: Any, frames: Any, masks: Tensor, **options: Any) -> Any:
        given.update(options, masks=masks)
        return propagator, PropagatorReport("entropy", [], [], 0, 0.0, "recorded")

    monkeypatch.setattr("ditta_adapt.targets.trained_propagator.adapt_propagator", record)
    training = PropagatorTraining(objective="entropy", iterations=3)
    config = AdaptConfig(propagator_training=training, seed=7)
    train_propagator(bound(), warm_up_of(3), config, silent)
    assert (given["objective"], given["iterations"], given["seed"]) == ("entropy", 3, 7)
    # A region of every class that is seen in the first frame, and of one label each.
    labels = warm_up_of(3).predictions[0].labels
    classes = [labels[mask].unique() for mask in given["masks"]]
    assert sorted(int(each) for each in classes) == labels.unique().tolist()


def test_too_short_a_warm_up() -> None:
    config = AdaptConfig(propagator_training=SHORT)
    propagator = bound()
    trained, note = train_propagator(propagator, warm_up_of(2), config, silent)
    assert trained is propagator
    assert note == "the propagator: not trained: a video of 2 frames has no cycle of 3"


def test_a_video_model_says_so_and_streams_with_it() -> None:
    frames = toy_video(8)
    own = video_model(SHORT)
    report = own.adapt(frames[:5])
    assert "the propagator was trained for 2 steps" in report.reason
    assert report.config.propagator_training == SHORT
    labels = [own(frame) for frame in frames[5:]]
    assert all(each.shape == frames[0].shape[:2] for each in labels)
    assert own.propagator._trained is None  # type: ignore[attr-defined]


def test_what_cannot_be_trained_is_refused_and_nothing_changes() -> None:
    config = AdaptConfig(propagator_training=SHORT)
    own = wrap(toy_segmenter(), propagator=BrightnessPropagator(), config=config)
    with pytest.raises(InputError, match="BrightnessPropagator cannot be trained"):
        own.adapt(toy_video(4))
    assert own.report is None


def test_its_state_is_not_written(tmp_path: Path) -> None:
    own = video_model(SHORT)
    own.adapt(toy_video(5))
    with pytest.raises(InputError, match=r"propagator_training.*is not written"):
        own.save_pretrained(tmp_path / "state", state=True)
    assert not (tmp_path / "state").exists()
    own.save_pretrained(tmp_path / "weights")
    loaded = video_model(None).load_pretrained(tmp_path / "weights")
    assert loaded.config.propagator_training == SHORT
