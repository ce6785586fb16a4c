"""AuxAdapt: sums and losses by hand, which model learns, which answers."""

import math
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import InputError
from ditta_adapt.baselines import AuxAdapt, ImageModel
from ditta_adapt.baselines.auxadapt import fused_scores
from tests.baselines.nets import ConstantSegmenter, norm_segmenter
from tests.baselines.test_methods import same, scores_of
from tests.models.test_isolation import assert_same, snapshot
from tests.toys import toy_segmenter, toy_video


def pair(**options: Any) -> AuxAdapt:
    return AuxAdapt(ConstantSegmenter([2.0, 0.0]), ConstantSegmenter([0.0, 3.0]), **options)


class TestByHand:
    def test_the_sum(self) -> None:
        scores = scores_of(pair(), toy_video(1))[0]
        assert scores[0, :, 0, 0].tolist() == [2, 3]
        assert (pair()(toy_video(1)[0]) == 1).all()

    def test_averaged_probabilities(self) -> None:
        scores = scores_of(pair(fuse="probs"), toy_video(1))[0]
        expected = [(0.8808 + 0.0474) / 2, (0.1192 + 0.9526) / 2]
        assert scores[0, :, 0, 0].exp().tolist() == pytest.approx(expected, abs=1e-4)
        assert (pair(fuse="probs")(toy_video(1)[0]) == 1).all()

    def test_where_the_two_disagree(self) -> None:
        """Each model is sure of another class, and both find the third second best."""
        models = ConstantSegmenter([0.0, -30.0, -1.0]), ConstantSegmenter([-30.0, 0.0, -1.0])
        frame = toy_video(1)[0]
        assert (AuxAdapt(*models)(frame) == 2).all()
        assert not (AuxAdapt(*models, fuse="probs")(frame) == 2).any()

    @pytest.mark.parametrize(
        ("loss_on", "fuse", "expected"),
        [
            ("fused", "logits", 0.31326),
            ("aux", "logits", 0.04859),
            ("fused", "probs", -math.log((0.119203 + 0.952574) / 2)),
            ("aux", "probs", 0.04859),
        ],
    )
    def test_the_loss(self, loss_on: Any, fuse: Any, expected: float) -> None:
        losses = pair(loss_on=loss_on, fuse=fuse).adapt(toy_video(1))
        assert losses == pytest.approx([expected], abs=1e-5)

    def test_the_label_is_that_of_both(self) -> None:
        """The sum (5, 3) is of class 0, which the small model alone finds unlikely."""
        models = ConstantSegmenter([5.0, 0.0]), ConstantSegmenter([0.0, 3.0])
        losses = AuxAdapt(*models, loss_on="aux").adapt(toy_video(1))
        assert losses == pytest.approx([3.04859], abs=1e-5)

    @pytest.mark.parametrize(("loss_on", "p"), [("fused", 0.731059), ("aux", 0.952574)])
    def test_two_steps_of_sgd_with_momentum(self, loss_on: Any, p: float) -> None:
        """A step moves the aux scores by `rate * (1 - p)`, the label being class 1."""
        rate = 1e-3
        method = pair(loss_on=loss_on, learning_rate=rate)
        method.adapt(toy_video(1))
        scores = method._answer.aux.segmenter.scores
        assert scores.tolist() == pytest.approx([-rate * (1 - p), 3 + rate * (1 - p)], abs=1e-6)
        method.adapt(toy_video(2))
        # Nearly the same gradient twice: 1 + (1 + 0.9).
        scores = method._answer.aux.segmenter.scores
        assert scores[0].item() == pytest.approx(-rate * 2.9 * (1 - p), rel=2e-3)


@given(st.integers(0, 10**6), st.floats(0.1, 40))
def test_probs_fuse_is_the_mean_distribution(seed: int, spread: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    main, aux = (spread * torch.randn(2, 3, 2, 2, generator=generator) for _ in range(2))
    fused = fused_scores(main, aux, "probs").softmax(1)
    expected = (main.double().softmax(1) + aux.double().softmax(1)) / 2
    torch.testing.assert_close(fused.double(), expected, atol=1e-5, rtol=1e-4)


class TestWhoLearns:
    @pytest.mark.parametrize("loss_on", ["fused", "aux"])
    def test_all_of_the_small_model_and_nothing_of_the_main_one(self, loss_on: Any) -> None:
        main, aux = toy_segmenter(), norm_segmenter(3)
        before = snapshot(main.model), snapshot(aux.model)
        method = AuxAdapt(main, aux, loss_on=loss_on, learning_rate=0.1)
        method.adapt(toy_video(3))
        own_main, own_aux = (a.segmenter.model for a in (method._answer.main, method._answer.aux))
        for own, given_model in ((own_main, main.model), (own_aux, aux.model)):
            start = given_model.state_dict()
            for name, value in own.state_dict().items():
                is_trained = own is own_aux and name in dict(own.named_parameters())
                assert torch.equal(value, start[name]) != is_trained, name
        assert all(p.grad is None and not p.requires_grad for p in own_main.parameters())
        for earlier, model in zip(before, (main.model, aux.model), strict=True):
            assert_same(snapshot(model), earlier)

    def test_a_silent_small_model_leaves_the_main_models_answer(self) -> None:
        main, frames = toy_segmenter(), toy_video(2)
        method = AuxAdapt(main, ConstantSegmenter([0.0] * 4))
        assert same(scores_of(method, frames), scores_of(ImageModel(main), frames))

    def test_one_model_for_both(self) -> None:
        segmenter, frames = toy_segmenter(), toy_video(3)
        before = snapshot(segmenter.model)
        method = AuxAdapt(segmenter, segmenter, learning_rate=0.1)
        alone = scores_of(ImageModel(segmenter), frames)
        assert same(scores_of(method, frames), [2 * scores for scores in alone])
        method.adapt(frames)
        assert not same(scores_of(method, frames), [2 * scores for scores in alone])
        assert same(scores_of(ImageModel(segmenter), frames), alone)
        assert_same(snapshot(segmenter.model), before)

    def test_a_small_model_with_a_size_of_its_own(self) -> None:
        class Small(ConstantSegmenter):
            def preprocess(self, frames: Tensor) -> Tensor:
                return super().preprocess(frames)[..., ::8, ::8]

        method = AuxAdapt(toy_segmenter(), Small([0.0, 0.0, 1.0, 0.0]))
        method.adapt(toy_video(2))
        assert method(toy_video(1)[0]).shape == (37, 50)


def test_other_classes() -> None:
    with pytest.raises(InputError, match="main model has 4 classes and aux has 2"):
        AuxAdapt(toy_segmenter(), ConstantSegmenter([0.0, 1.0]))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("options", [{"loss_on": "main"}, {"fuse": "max"}, {"momentum": 1.5}])
def test_arguments_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(options))} is"):
        pair(**options)
