"""Learning from labelled source videos besides: what reaches the student, and what is recorded."""

from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import (
    AdaptConfig,
    ClassMix,
    CrossEntropy,
    DomainConfig,
    InputError,
    PatchMask,
    Training,
)
from ditta_adapt.baselines import RefinedLabels
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain import DomainResult, adapt_to_domain
from ditta_adapt.domain.held_out import HeldOut
from ditta_adapt.domain.label_quality import LabelQuality
from ditta_adapt.domain.source_clips import LabelledFrame, SourceClips
from ditta_adapt.models.forward import frame_logits
from ditta_adapt.models.parameters import weight_hash
from ditta_adapt.targets.targets import Targets
from tests.toys import toy_segmenter, toy_video

SIZE = (32, 40)
VIDEOS = [toy_video(8, SIZE, seed) for seed in range(3)]


def labelled(value: int, frames: Any = VIDEOS[0]) -> list[LabelledVideo]:
    maps = [np.full(np.asarray(frames[0]).shape[:2], value, np.uint8)] * len(frames)
    return [LabelledVideo(name, frames, maps) for name in ("learned", "held out")]


def adapt(source: Any = None, videos: Any = VIDEOS, **options: Any) -> DomainResult:
    builder = (
        {"target_builder": options.pop("target_builder")} if "target_builder" in options else {}
    )
    config = DomainConfig(**{"rounds": 1, "judged_frames": 2} | options)
    return adapt_to_domain(toy_segmenter(), videos, source=source, config=config, **builder)


class Spy:
    """A target builder that has every pixel of one class."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __call__(self, propagator: Any, warm_up: Any, config: Any, progress: Any) -> Targets:
        labels = [torch.full(warm_up.size, self.value, dtype=torch.int16) for _ in warm_up.frames]
        return Targets(labels, [], {}, True, "one class")


CROSS_ENTROPY = AdaptConfig(training=Training(distillation=CrossEntropy(), class_balance=0.0))


def test_the_loss_has_a_term_of_the_source() -> None:
    options = {"mix": None, "adapt": CROSS_ENTROPY, "target_builder": Spy(0)}
    without = adapt(labelled(1), source_weight=0.0, **options).report.rounds[0].loss
    once = adapt(labelled(1), **options).report.rounds[0].loss
    twice = adapt(labelled(1), source_weight=2.0, **options).report.rounds[0].loss
    assert without + 0.1 < once < twice - 0.1


def test_all_classes_pasted_is_the_source_alone() -> None:
    """One class fills the source, so that every target pixel is covered, and its label is."""
    frames = [np.full((*SIZE, 3), 90, np.uint8)] * 8
    loss = {}
    for value in (0, 1):
        found = adapt(
            labelled(1, frames),
            mix=ClassMix(),
            source_weight=0.0,
            adapt=CROSS_ENTROPY,
            target_builder=Spy(value),
        )
        loss[value] = found.report.rounds[0].loss
    # Whatever the target's labels are.
    assert loss[0] == loss[1]
    apart = adapt(
        labelled(1, frames),
        source_weight=0.0,
        mix=None,
        adapt=CROSS_ENTROPY,
        target_builder=Spy(0),
    )
    assert apart.report.rounds[0].loss != loss[0]


@pytest.mark.parametrize("mix", [ClassMix(), ClassMix(consistent=True), None])
def test_sources_of_any_size_are_learned_and_repeat_bit_for_bit(mix: ClassMix | None) -> None:
    large = [toy_video(5, (50, 90), seed) for seed in range(2)]
    source = [labelled(1, frames)[0] for frames in large]
    one = adapt(source, mix=mix, mask=PatchMask())
    assert adapt(source, mix=mix, mask=PatchMask()).report.rounds == one.report.rounds


def test_hidden_patches_are_learned() -> None:
    plain = adapt(adapt=CROSS_ENTROPY, target_builder=Spy(0)).report.rounds[0].loss
    nothing_hidden = adapt(mask=PatchMask(ratio=0.0), adapt=CROSS_ENTROPY, target_builder=Spy(0))
    hidden = adapt(mask=PatchMask(), adapt=CROSS_ENTROPY, target_builder=Spy(0))
    # Twice the same at the first step, and both terms fall from there.
    assert plain < nothing_hidden.report.rounds[0].loss < 2.1 * plain
    assert hidden.report.rounds[0].loss > plain


@pytest.mark.parametrize("strategy", ["consistency", "max_confidence", "warp"])
def test_labels_can_be_refined(strategy: Any) -> None:
    found = adapt(target_builder=RefinedLabels(strategy, offset=1))
    assert np.isfinite(found.report.rounds[0].loss)


def test_labels_of_the_videos_teach_nothing() -> None:
    bare = adapt()
    known = adapt(videos=[labelled(1, frames)[0] for frames in VIDEOS])
    assert known.report.rounds[0].loss == bare.report.rounds[0].loss
    assert bare.report.rounds[0].teacher_miou is None
    assert bare.report.rounds[0].target_miou is None
    for value in (known.report.rounds[0].teacher_miou, known.report.rounds[0].target_miou):
        assert value is not None
        assert 0 <= value <= 1
    # Of other classes than the model's: nothing can be told.
    other = [
        LabelledVideo("a", video.frames, video.labels, np.zeros(3, np.int64))
        for video in known_videos()
    ]
    assert adapt(videos=other).report.rounds[0].teacher_miou is None


def known_videos() -> list[LabelledVideo]:
    return [labelled(1, frames)[0] for frames in VIDEOS]


def test_label_quality_by_hand() -> None:
    quality = LabelQuality(2)
    assert quality.miou() == (None, None)
    own = torch.tensor([[0, 1]])
    targets = torch.tensor([[0, 0], [1, -1]], dtype=torch.int16)
    quality.add(own, targets, None)
    assert quality.miou() == (None, None)
    # The last pixel has no target, and the third is not known.
    quality.add(own, targets, np.array([[0, 1], [255, 1]], np.uint8))
    # Own labels are 0 and 1 there, both right; targets 0 and 0: IoU 1/2 and 0.
    assert quality.miou() == (1.0, 0.25)


def approving(monkeypatch: pytest.MonkeyPatch, *by_round: tuple[float, float]) -> None:
    """Gains by looks, and by labels, of every round: of two videos each, both alike."""
    answers = iter([[[gain], [gain]] for pair in by_round for gain in pair])
    monkeypatch.setattr(HeldOut, "gains", lambda self, adapted: next(answers))


def test_with_a_source_its_labels_decide_and_the_last_round_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # By looks the first round is best, and the last one worse than nothing.
    approving(monkeypatch, (0.2, 0.1), (0.1, 0.05), (-0.1, 0.2))
    report = adapt(labelled(1), rounds=3).report
    assert (report.kept, report.best) == (True, 2)
    assert report.rounds[2].source_gains == (0.2, 0.2)
    assert str(report).startswith(
        "adapted to 2 videos: it agrees with the labels of 2 held out +0.200 more than the image "
        "model, after round 3 (and with second looks at 2 held out -0.100, which does not decide)"
    )


def test_a_round_that_is_worse_on_held_out_labels_is_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    approving(monkeypatch, (0.2, 0.1), (0.3, -0.1))
    report = adapt(labelled(1), rounds=2).report
    assert (report.kept, report.best) == (True, 0)
    approving(monkeypatch, (0.2, -0.1), (0.3, -0.1))
    segmenter = toy_segmenter()
    result = adapt_to_domain(
        segmenter, VIDEOS, source=labelled(1), config=DomainConfig(rounds=2, judged_frames=2)
    )
    assert not result.report.kept
    assert result.report.reason.startswith("nothing was kept of 2 videos: it agrees with the lab")
    assert weight_hash(result.segmenter) == weight_hash(segmenter)


def test_held_out_labels_by_hand() -> None:
    """The image model's own labels are right everywhere, where they count."""
    segmenter = toy_segmenter()
    tensor = torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)
    truth = frame_logits(segmenter, tensor).argmax(dim=1)[0]
    held_out = HeldOut.by_labels(segmenter, [[LabelledFrame(tensor, truth)]])
    assert held_out.gains(segmenter) == [[0.0]]
    other = toy_segmenter(1)
    assert held_out.gains(other)[0][0] < 0
    unknown = torch.full_like(truth, -1)
    nothing = HeldOut.by_labels(segmenter, [[LabelledFrame(tensor, unknown)]])
    assert nothing.gains(other) == [[0.0]]


def test_a_source_without_labels_to_judge_by() -> None:
    bare = [LabelledVideo(name, VIDEOS[0], [None] * 8) for name in ("a", "b")]
    with pytest.raises(InputError, match="no held-out video of the source has labels"):
        adapt(bare)


def test_the_source_is_split_in_two(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read = SourceClips._labelled

    def noted(self: SourceClips, video: LabelledVideo, start: int) -> Any:
        asked.append(video.name)
        return read(self, video, start)

    monkeypatch.setattr(SourceClips, "_labelled", noted)
    maps = [np.ones(SIZE, np.uint8)] * 8
    source = [LabelledVideo(str(n), VIDEOS[0], maps) for n in range(4)]
    report = adapt(source, rounds=4, held_out=0.5).report
    held_out = {str(number) for number in report.source_held_out}
    assert len(held_out) == 2
    # Two frames of each are judged; then only others are learned.
    assert set(asked[:4]) == held_out
    assert len(asked) > 4
    assert not set(asked[4:]) & held_out
    with pytest.raises(InputError, match="the source has 1 videos; expected two at least"):
        adapt(source[:1])
