"""Who tells two domains apart, learns to; who is told apart, learns to confuse."""

from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import ClassMix, Discriminator, DomainConfig
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.domain import adapt_to_domain, steps
from ditta_adapt.domain.discriminator import VideoDiscriminator
from ditta_adapt.domain.source_clips import SourceClips
from tests.toys import toy_segmenter, toy_video

CPU = torch.device("cpu")


def maps(value: float) -> torch.Tensor:
    found = torch.full((1, 2, 10, 12), value)
    found[:, 1] = 1 - value
    return found


def test_it_learns_to_tell_and_the_student_to_confuse() -> None:
    torch.manual_seed(0)
    adversary = VideoDiscriminator(2, Discriminator(stacked=False, weight=1.0), CPU)
    first = float(adversary.confuse(maps(0.1)).detach())
    # Undecided at first: ln 2.
    assert first == pytest.approx(np.log(2), abs=0.1)
    for _ in range(15):
        adversary.learn(maps(0.9), maps(0.1))
    told_apart = maps(0.1).requires_grad_()
    loss = adversary.confuse(told_apart)
    assert float(loss.detach()) > 1.5 * first
    loss.backward()
    # Towards what the source looks like; and nothing of the adversary itself.
    assert told_apart.grad is not None
    assert float(told_apart.grad[:, 0].sum() - told_apart.grad[:, 1].sum()) < 0
    with torch.no_grad():
        assert float(adversary.confuse(maps(0.9))) < first


def test_goes_on_from_its_state() -> None:
    torch.manual_seed(0)
    one = VideoDiscriminator(2, Discriminator(stacked=False), CPU)
    one.learn(maps(0.9), maps(0.1))
    state = {name: tensor.clone() for name, tensor in one.state().items()}
    other = VideoDiscriminator(2, Discriminator(stacked=False), CPU)
    other.load(state)
    for adversary in (one, other):
        adversary.learn(maps(0.8), maps(0.3))
    for name, tensor in one.state().items():
        assert torch.equal(tensor, other.state()[name])


VIDEOS = [toy_video(8, (32, 40), seed) for seed in range(3)]


def source() -> list[LabelledVideo]:
    labels = [np.ones((32, 40), np.uint8)] * 8
    return [LabelledVideo(str(n), toy_video(8, (32, 40), 9 + n), labels) for n in range(2)]


@pytest.mark.parametrize("stacked", [False, True])
def test_who_sees_what(stacked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    learn = VideoDiscriminator.learn

    def spied(self: VideoDiscriminator, of_source: Any, of_target: Any) -> None:
        for own in (of_source, of_target):
            seen.append(tuple(own.shape[:2]))
            # Softmax maps, one above the other.
            sums = own.unflatten(1, (-1, 4)).sum(dim=2)
            torch.testing.assert_close(sums, torch.ones_like(sums))
        learn(self, of_source, of_target)

    monkeypatch.setattr(steps.VideoDiscriminator, "learn", spied)
    config = DomainConfig(rounds=1, judged_frames=2, discriminator=Discriminator(stacked=stacked))
    adapt_to_domain(toy_segmenter(), VIDEOS, source=source(), config=config)
    # Two videos are learned, of clips of four frames; the first has none before it.
    assert seen == [(1, 8 if stacked else 4)] * (2 * 2 * (3 if stacked else 4))


def test_without_a_source_there_is_nobody_to_tell_from() -> None:
    config = DomainConfig(rounds=1, judged_frames=2)
    plain = adapt_to_domain(toy_segmenter(), VIDEOS, config=config)
    asked = DomainConfig(rounds=1, judged_frames=2, discriminator=Discriminator())
    found = adapt_to_domain(toy_segmenter(), VIDEOS, config=asked)
    assert found.report.rounds == plain.report.rounds


def test_two_frames_are_neighbours_also_where_they_are_mixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    draw = SourceClips.draw

    def spied(self: SourceClips, *given: Any, together: bool) -> Any:
        asked.append(together)
        return draw(self, *given, together=together)

    monkeypatch.setattr(SourceClips, "draw", spied)
    for stacked, expected in ((True, {True}), (False, {False, True})):
        asked.clear()
        config = DomainConfig(
            rounds=1, judged_frames=2, mix=ClassMix(), discriminator=Discriminator(stacked=stacked)
        )
        adapt_to_domain(toy_segmenter(), VIDEOS, source=source(), config=config)
        assert set(asked) == expected
