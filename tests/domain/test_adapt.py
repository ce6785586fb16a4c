"""Adapting to a domain: what is learned, what decides, and what is left alone."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import (
    AdaptConfig,
    CheckpointError,
    ConfigError,
    Contrast,
    DomainConfig,
    InputError,
    MaskVote,
    Progress,
    ShapeError,
    Training,
    wrap,
)
from ditta_adapt.domain import DomainResult, adapt_to_domain
from ditta_adapt.domain.held_out import HeldOut, bounds
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.parameters import adaptable_state
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.persistence import SCHEMA_VERSION
from tests.toys import ToyNet, toy_segmenter, toy_video
from tests.training.test_precision import Typed

SIZE = (32, 40)
SHORT = DomainConfig(rounds=2, judged_frames=3)


def videos(count: int = 4, length: int = 8) -> list[list[np.ndarray]]:
    return [toy_video(length, SIZE, seed) for seed in range(count)]


@pytest.fixture
def approved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge finds the first round best."""
    answers = iter([[[0.24, 0.26]], [[0.1, 0.1]]] * 9)
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: next(answers))


def weights(segmenter: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in adaptable_state(segmenter).items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one)


def test_the_best_round_is_kept_and_the_model_stays(approved: None) -> None:
    segmenter = toy_segmenter()
    before = weights(segmenter)
    told: list[Progress] = []
    result = adapt_to_domain(segmenter, videos(), config=SHORT, progress=told.append)
    report = result.report
    assert report.kept
    assert report.best == 0
    assert str(report).startswith(
        "adapted to 3 videos: it agrees with second looks at 1 held out +0.250 more than the image "
        "model, after round 1"
    )
    assert sorted(report.learned + report.held_out) == [0, 1, 2, 3]
    assert same(weights(segmenter), before)
    assert not same(weights(result.segmenter), before)
    assert [(each.done, each.total) for each in told] == [(n, 6) for n in range(1, 7)]
    one = adapt_to_domain(toy_segmenter(), videos(), config=SHORT)
    assert report.rounds[0].loss == one.report.rounds[0].loss


def test_what_is_no_better_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Better in the mean, but not by more than its error: .01 +- .05.
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: [[0.06, -0.04]])
    segmenter = toy_segmenter()
    result = adapt_to_domain(segmenter, videos(), config=SHORT)
    assert not result.report.kept
    assert result.report.reason.startswith("nothing was kept of 3 videos")
    assert same(weights(result.segmenter), weights(segmenter))


def test_videos_of_noise_keep_the_model() -> None:
    random = np.random.default_rng(0)
    noise = [list(random.integers(0, 256, (4, 240, 320, 3)).astype(np.uint8)) for _ in range(4)]
    segmenter = toy_segmenter()
    result = adapt_to_domain(segmenter, noise, config=SHORT)
    assert not result.report.kept
    assert "nothing was learned: " in result.report.reason
    assert "the propagator's warping is not used" in result.report.reason
    assert same(weights(result.segmenter), weights(segmenter))


def test_repeats_bit_for_bit_and_the_callers_random_state_is_untouched() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = adapt_to_domain(toy_segmenter(), videos(), config=SHORT)
    assert torch.equal(torch.rand(1), expected)
    again = adapt_to_domain(toy_segmenter(), videos(), config=SHORT)
    assert first.report.rounds == again.report.rounds
    other = adapt_to_domain(
        toy_segmenter(), videos(), config=DomainConfig(rounds=2, judged_frames=3, seed=1)
    )
    assert other.report.rounds != first.report.rounds


def test_works_under_no_grad_and_with_short_videos() -> None:
    short = [video[:1] for video in videos()[:2]] + videos()[2:]
    with torch.no_grad():
        result = adapt_to_domain(toy_segmenter(), short, config=SHORT)
    assert len(result.report.rounds) == 2


def test_frames_are_read_when_they_are_needed() -> None:
    class Counted(list):  # type: ignore[type-arg]
        read = 0

        def __getitem__(self, index: Any) -> Any:
            type(self).read += 1
            return super().__getitem__(index)

    adapt_to_domain(
        toy_segmenter(),
        [Counted(video) for video in videos(3, 40)],
        config=SHORT,
        propagator="flow",
    )
    # Two rounds of two clips of four frames, and looks at three of every video.
    assert Counted.read == 2 * 2 * 4 + 3 * 3


class Broken(list):  # type: ignore[type-arg]
    """Frames of which those from the third on cannot be read."""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index >= 2:
            raise InputError(f"frame {index} cannot be read")
        return super().__getitem__(index)


def test_a_clip_that_cannot_be_read_teaches_nothing(unchecked: None, approved: None) -> None:
    config = DomainConfig(rounds=2, judged_frames=3, seed=1)
    split = adapt_to_domain(toy_segmenter(), videos(), config=config).report.learned
    mixed: list[Any] = videos()
    mixed[split[0]] = Broken(mixed[split[0]])
    report = adapt_to_domain(toy_segmenter(), mixed, config=config).report
    assert 1 <= len(report.unread) <= 2
    assert report.unread[0].startswith(f"video {split[0]}: frame ")
    assert f"; {len(report.unread)} clips could not be read" in str(report)
    assert report.rounds[0].loss > 0
    # What is malformed is a mistake, and said.
    mixed[split[0]] = [frame[..., :2] for frame in videos()[split[0]]]
    with pytest.raises(ShapeError):
        adapt_to_domain(toy_segmenter(), mixed, config=config)


# What was learned, in a folder.


def labels_of(model: Any, frames: Sequence[np.ndarray]) -> list[torch.Tensor]:
    return [model(frame) for frame in frames]


def test_is_saved_and_loaded_and_each_video_starts_from_there(
    approved: None, tmp_path: Path
) -> None:
    segmenter = toy_segmenter()
    result = adapt_to_domain(segmenter, videos(), config=SHORT)
    result.save_pretrained(tmp_path / "domain")
    frames = videos()[0]
    video_model = wrap(segmenter).load_pretrained(tmp_path / "domain")
    # Before anything else is adapted, its labels are those of the model that was adapted.
    for frame, found in zip(frames, labels_of(video_model, frames), strict=True):
        logits = frame_logits(result.segmenter, torch.from_numpy(frame).permute(2, 0, 1))
        assert torch.equal(found, logits.argmax(dim=1)[0])
    assert same(weights(video_model.segmenter), weights(result.segmenter))
    assert video_model.segmenter is not segmenter
    # To adapt from there is to adapt what was loaded.
    video_model.adapt(frames[:4])
    beside = wrap(result.segmenter)
    beside.adapt(frames[:4])
    rest = frames[4:]
    pairs = zip(labels_of(video_model, rest), labels_of(beside, rest), strict=True)
    assert all(torch.equal(*pair) for pair in pairs)
    # And what that learned is kept with the model it was made of.
    video_model.save_pretrained(tmp_path / "video")
    with pytest.raises(CheckpointError, match="other weights"):
        wrap(segmenter).load_pretrained(tmp_path / "video")
    again = wrap(segmenter).load_pretrained(tmp_path / "domain").load_pretrained(tmp_path / "video")
    own, other = again._stream.student, video_model._stream.student
    assert same(weights(own.segmenter), weights(other.segmenter))


def test_does_not_fit_another_model(approved: None, tmp_path: Path) -> None:
    adapt_to_domain(toy_segmenter(), videos(), config=SHORT).save_pretrained(tmp_path)
    other = private_copy(toy_segmenter())
    with torch.no_grad():
        next(iter(adaptable_state(other).values())).add_(1)
    video_model = wrap(other)
    before = weights(video_model.segmenter)
    with pytest.raises(CheckpointError, match="other weights"):
        video_model.load_pretrained(tmp_path)
    assert same(weights(video_model.segmenter), before)
    (tmp_path / "config.json").write_text(
        f'{{"schema_version": {SCHEMA_VERSION}, "kind": "domain"}}'
    )
    with pytest.raises(CheckpointError):
        wrap(toy_segmenter()).load_pretrained(tmp_path)


def test_a_folder_that_cannot_be_written(approved: None, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = adapt_to_domain(toy_segmenter(), videos(), config=SHORT)
    with pytest.raises(CheckpointError, match="cannot write"):
        result.save_pretrained(tmp_path / "file" / "folder")


# The judge.


def test_the_bounds_by_hand() -> None:
    # Over videos: means .1 and .3, so .2 less and plus twice sqrt(.02) / sqrt(2) = .1.
    assert bounds([[0.0, 0.2], [0.3]]) == pytest.approx((0.0, 0.4))
    # Of one video the frames: .1 less and plus twice .1414 / 1.414.
    assert bounds([[0.0, 0.2]]) == pytest.approx((-0.1, 0.3))
    # A single frame says nothing.
    assert bounds([[0.3]]) == (-math.inf, math.inf)


# What is refused.


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="there are 1 videos"):
        adapt_to_domain(toy_segmenter(), videos(1))
    with pytest.raises(InputError, match="video 1 has no frame"):
        adapt_to_domain(toy_segmenter(), [videos()[0], []])
    contrast = AdaptConfig(targets=MaskVote(), training=Training(contrast=Contrast()))
    for adapt in (AdaptConfig(targets=None), AdaptConfig(look=None), contrast):
        with pytest.raises(ConfigError, match="learned from targets, judged by looks"):
            adapt_to_domain(toy_segmenter(), videos(), config=DomainConfig(adapt=adapt))
    for wrong in ({"rounds": 0}, {"clip": 1}, {"held_out": 1.0}, {"learning_rate": 0.0}):
        with pytest.raises(ConfigError):
            DomainConfig(**wrong)  # type: ignore[arg-type]


def test_the_report_is_plain_data(approved: None) -> None:
    result = adapt_to_domain(toy_segmenter(), videos(), config=SHORT)
    assert isinstance(result, DomainResult)
    written = result.report.to_dict()
    assert written["config"]["rounds"] == 2
    assert DomainConfig.from_dict(written["config"]) == SHORT


def test_weights_of_half_precision_are_judged_as_they_are_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[torch.dtype] = []

    def gains(self: HeldOut, adapted: Any) -> list[list[float]]:
        seen.extend(tensor.dtype for tensor in weights(adapted).values())
        return [[0.1], [0.1]]

    monkeypatch.setattr(HeldOut, "gains", gains)
    adapt_to_domain(Typed(ToyNet().eval().to(torch.bfloat16)), videos(), config=SHORT)
    assert set(seen) == {torch.bfloat16}


def test_weights_of_half_precision_move_and_stay_in_it(approved: None) -> None:
    segmenter = Typed(ToyNet().eval().to(torch.bfloat16))
    before = weights(segmenter)
    config = DomainConfig(rounds=2, judged_frames=3, learning_rate=1e-2)
    result = adapt_to_domain(segmenter, videos(), config=config)
    after = weights(result.segmenter)
    assert {tensor.dtype for tensor in after.values()} == {torch.bfloat16}
    assert not same(after, before)
    assert same(weights(segmenter), before)
