"""Masks that a propagator proposes: which are kept, by hand, and what becomes of them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import torch

from ditta_adapt import Frame, InputError, PropagationError
from ditta_adapt.baselines.automatic_masks import MaskThresholds, kept_masks, stability_scores
from ditta_adapt.baselines.masklets import Masklets
from ditta_adapt.teachers import AutoMasks
from tests.toys import StillPropagator, StillSession

LOW = MaskThresholds(predicted_iou=0.5, stability=0.5, offset=1.0)


def logits(*boxes: tuple[int, int, int, int], high: float = 5.0) -> torch.Tensor:
    """Maps `(N, 8, 8)` that are high in a box of top, left, bottom, right, and low elsewhere."""
    maps = torch.full((len(boxes), 8, 8), -5.0)
    for number, (top, left, bottom, right) in enumerate(boxes):
        maps[number, top:bottom, left:right] = high
    return maps


def test_stability_by_hand() -> None:
    maps = torch.tensor([[[2.0, 0.5, -0.5, -2.0]], [[2.0, 2.0, 2.0, 2.0]], [[-9.0] * 4]])
    # One of three cells is above 1, of those above -1; all of them; none.
    assert stability_scores(maps, 1.0).tolist() == pytest.approx([1 / 3, 1, 0])


def test_what_is_kept_and_in_which_order() -> None:
    found = AutoMasks(
        torch.cat(
            [
                logits((0, 0, 4, 4), (0, 0, 4, 5), (4, 4, 8, 8), (0, 4, 4, 8)),
                logits((4, 0, 8, 4), high=0.5),
                logits((0, 0, 0, 0)),
            ]
        ),
        torch.tensor([0.7, 0.8, 0.9, 0.4, 0.95, 0.99]),
    )
    kept = kept_masks(found, (8, 8), LOW)
    # Not the fourth, of which little is expected, the fifth, which is unstable, nor the empty one;
    # and of the first two, whose boxes share 16 of 20 cells, that of which more is expected.
    assert torch.equal(kept, torch.stack([m > 0 for m in logits((4, 4, 8, 8), (0, 0, 4, 5))]))
    # Boxes that share 2 of 3 are kept both.
    two = AutoMasks(logits((0, 0, 4, 6), (0, 0, 4, 4)), torch.ones(2))
    assert len(kept_masks(two, (8, 8), LOW)) == 2


def test_masks_come_at_the_size_of_the_frame() -> None:
    found = AutoMasks(logits((0, 0, 8, 4)), torch.ones(1))
    (mask,) = kept_masks(found, (16, 24), LOW)
    assert mask.shape == (16, 24)
    assert mask[:, :11].all()
    assert not mask[:, 13:].any()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("wrong", [{"predicted_iou": 1.1}, {"stability": -0.1}, {"offset": "1"}])
def test_thresholds_out_of_range(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        MaskThresholds(**wrong)  # type: ignore[arg-type]


class ProposingSession(StillSession):
    """Proposes a box around everything, and one that is too uncertain."""

    found = AutoMasks(logits((0, 0, 8, 8), (0, 0, 4, 4)), torch.tensor([0.9, 0.1]))

    def auto_masks(self, t: int, points: Sequence[tuple[int, int]]) -> AutoMasks:
        self.calls.append(("auto_masks", t, list(points)))
        return self.found


class Proposing(StillPropagator):
    @contextmanager
    def open(self, frames: Sequence[Frame]) -> Iterator[StillSession]:
        session = ProposingSession(frames)
        self.sessions.append(session)
        yield session


def test_proposed_masks_are_followed() -> None:
    propagator = Proposing()
    masklets = Masklets(propagator, points_per_side=2, window=4)
    frame, labels = torch.zeros(3, 16, 16, dtype=torch.uint8), torch.zeros(16, 16).long()
    assert masklets.follow(frame, labels).masks.shape == (1, 16, 16)
    assert masklets.follow(frame, labels).masks.all()
    scout, session = propagator.sessions
    assert scout.calls == [("auto_masks", 0, [(4, 4), (12, 4), (4, 12), (12, 12)])]
    assert session.calls == [("prompt", 0, [1]), ("propagate", 0, 1)]
    # Where none reaches what is asked, nothing is followed.
    strict = MaskThresholds(predicted_iou=0.95)
    masklets = Masklets(propagator, points_per_side=2, window=4, thresholds=strict)
    assert masklets.follow(frame, labels).masks.shape == (0, 16, 16)
    assert masklets.follow(frame, labels).masks.shape == (0, 16, 16)


@pytest.mark.usefixtures("unchecked")
def test_a_proposal_of_another_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = AutoMasks(logits((0, 0, 8, 8)), torch.ones(2))
    monkeypatch.setattr(ProposingSession, "found", wrong)
    masklets = Masklets(Proposing(), points_per_side=2, window=4)
    with pytest.raises(PropagationError, match=r"expected \(N, h, w\) and \(N,\)"):
        masklets.follow(torch.zeros(3, 16, 16, dtype=torch.uint8), torch.zeros(16, 16).long())
