"""How far features have gone, by hand; what counts; what has none."""

import pytest
import torch

from ditta_adapt import ConfigError, DomainConfig, FeatureDistance, SegmenterError
from ditta_adapt.domain import adapt_to_domain
from ditta_adapt.domain.feature_distance import DistanceTerm, deepest_map, feature_distance
from ditta_adapt.models.forward import encode, preprocess_frame
from tests.toys import ToyNet, ToySegmenter, toy_segmenter, toy_video

VIDEOS = [toy_video(8, (32, 40), seed) for seed in range(3)]


def test_by_hand() -> None:
    own = torch.zeros(1, 2, 2, 2)
    reference = torch.zeros(1, 2, 2, 2)
    own[0, :, 0, 0] = torch.tensor([3.0, 4.0])
    assert float(feature_distance(own, reference)) == pytest.approx(5 / 4, abs=1e-5)
    # Of the frame of 4 x 4, things cover the first cell, and half of the last.
    things = torch.zeros(4, 4, dtype=torch.bool)
    things[:2, :2], things[2:, 2] = True, True
    assert float(feature_distance(own, reference, things)) == pytest.approx(5, abs=1e-5)
    assert float(feature_distance(own, reference, torch.zeros_like(things))) == 0


def test_gradients_are_finite_where_nothing_moved() -> None:
    own = torch.zeros(1, 2, 2, 2, requires_grad=True)
    feature_distance(own, torch.zeros(1, 2, 2, 2)).backward()
    assert own.grad is not None
    assert bool(own.grad.isfinite().all())


def test_the_deepest_of_a_nest() -> None:
    fine, deep, last = torch.zeros(1, 2, 8, 8), torch.zeros(1, 4, 2, 2), torch.zeros(1, 6, 2, 2)
    assert deepest_map({"a": fine, "b": (deep, last), "size": (8, 8)}) is last
    with pytest.raises(SegmenterError, match="gives no map"):
        deepest_map([torch.zeros(3), torch.zeros(1, 2, 2, 2, dtype=torch.int64)])


def test_a_reference_of_another_shape_is_refused() -> None:
    segmenter, frame = toy_segmenter(), torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)
    images = preprocess_frame(segmenter, frame)
    term = DistanceTerm(segmenter, FeatureDistance(weight=2.0))
    with torch.no_grad():
        encoded = encode(segmenter, images)
    assert float(term(frame, encoded, None)) == pytest.approx(0, abs=1e-5)
    with pytest.raises(SegmenterError, match="expected the same"):
        term(frame, encoded[:, :4], None)


def test_it_holds_the_encoder_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(weight: float | None) -> float:
        distance = None if weight is None else FeatureDistance(weight=weight)
        config = DomainConfig(
            rounds=2, judged_frames=2, encoder="norms", learning_rate=1e-2, distance=distance
        )
        kept: list[float] = []
        monkeypatch.setattr(
            "ditta_adapt.domain.training.HeldOut.gains",
            lambda self, adapted: kept.append(far(adapted)) or [[0.24, 0.26]],
        )
        adapt_to_domain(toy_segmenter(), VIDEOS, config=config)
        return kept[-1]

    def far(adapted: ToySegmenter) -> float:
        own = adapted.model.encoder[1]
        return float((own.weight - ToyNet(0).encoder[1].weight).abs().sum().detach())

    free, held = moved(None), moved(100.0)
    assert held < 0.9 * free


def test_it_needs_an_encoder_that_moves() -> None:
    with pytest.raises(ConfigError, match="goes nowhere"):
        DomainConfig(distance=FeatureDistance())
    config = DomainConfig(distance=FeatureDistance(things=(1, 2)), encoder="norms")
    assert DomainConfig.from_dict(config.to_dict()) == config


def test_a_reference_is_shown_frames_as_it_wants() -> None:
    class Other(ToySegmenter):
        def preprocess(self, frames: torch.Tensor) -> torch.Tensor:
            return super().preprocess(frames) * 3

    own, other = toy_segmenter(), Other(ToyNet(0).eval())
    frame = torch.from_numpy(VIDEOS[0][0]).permute(2, 0, 1)
    term = DistanceTerm(other, FeatureDistance(weight=1.0))
    with torch.no_grad():
        mine = encode(own, preprocess_frame(own, frame))
        theirs = other.model.encoder(3 * preprocess_frame(own, frame))
    expected = feature_distance(mine, theirs)
    assert float(term(frame, mine, None)) == pytest.approx(float(expected))
    assert float(expected) > 0.1


def test_what_could_not_act_is_refused() -> None:
    plain = DomainConfig(rounds=1, judged_frames=2, encoder="norms")
    with pytest.raises(ConfigError, match="nothing is compared with it"):
        adapt_to_domain(toy_segmenter(), VIDEOS, config=plain, reference=toy_segmenter(1))
    config = DomainConfig(encoder="norms", distance=FeatureDistance(things=(1, 77)))
    with pytest.raises(ConfigError, match=r"distance\.things are \(1, 77\)"):
        adapt_to_domain(toy_segmenter(), VIDEOS, config=config)
