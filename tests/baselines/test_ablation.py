"""The eight combinations of the paper's ablation."""

from dataclasses import replace
from itertools import product

import pytest
import torch

from ditta_adapt import AdaptConfig, Contrast, SelfLabels, Training, wrap
from ditta_adapt.baselines.ablation import ablation
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import prompting, toy_segmenter, toy_video

FRAMES = toy_video(5, size=(24, 30))
COMBINATIONS = list(product([False, True], repeat=3))


@pytest.mark.parametrize(("addon", "targets", "contrastive"), COMBINATIONS)
def test_combination(addon: bool, targets: bool, contrastive: bool) -> None:
    config = ablation(addon=addon, targets=targets, contrastive=contrastive)
    assert AdaptConfig.from_dict(config.to_dict()) == config
    teacher = ShiftPropagator()
    model = wrap(
        # The small model is unsure of everything.
        toy_segmenter(),
        propagator=teacher,
        config=prompting(config, 0.3),
    )
    report = model.adapt(FRAMES[:4])
    assert bool(teacher.opened) == targets
    if not (addon or targets or contrastive):
        assert not report.adapted
        for frame in FRAMES:
            model.clear_memory()
            expected = wrap(toy_segmenter()).predict(frame).probabilities
            assert torch.equal(model.predict(frame).probabilities, expected)
        return
    assert report.adapted
    assert ("tracked object" in report.reason) == targets
    assert ("own labels" in report.reason) != targets
    parts = {"distill", "total"}
    parts |= {"distill_addon"} if addon else set()
    parts |= {"contrast"} if contrastive else set()
    assert set(report.losses[-1]) == parts
    if contrastive:
        assert report.losses[-1]["contrast"] > 0
    fused, alone = model.predict(FRAMES[4]), wrap(toy_segmenter()).predict(FRAMES[4])
    assert not torch.equal(fused.probabilities, alone.probabilities)
    model.adapt(FRAMES[:4])
    plain = model.predict(FRAMES[4], fuse=False).probabilities
    assert torch.equal(plain, fused.probabilities) != addon


def test_all_parts_are_the_paper() -> None:
    assert ablation(addon=True, targets=True, contrastive=True) == AdaptConfig.paper()


def test_nothing_but_the_parts_differs() -> None:
    paper = AdaptConfig.paper()
    for addon, targets, contrastive in COMBINATIONS:
        config = ablation(addon=addon, targets=targets, contrastive=contrastive)
        whole = replace(config, targets=paper.targets, memory=paper.memory, training=paper.training)
        assert whole == paper
        if targets or addon or contrastive:
            contrast = paper.training.contrast if contrastive else None
            assert config.training == replace(paper.training, contrast=contrast)


@pytest.mark.parametrize(
    ("config", "adapted"),
    [
        (AdaptConfig(memory=None), True),
        (AdaptConfig(targets=SelfLabels()), True),
        (AdaptConfig(targets=SelfLabels(), memory=None), True),
        (AdaptConfig(targets=SelfLabels(), training=Training(contrast=Contrast(weight=0.5))), True),
        (AdaptConfig(targets=None), False),
    ],
)
def test_parts_of_the_default_preset(config: AdaptConfig, adapted: bool) -> None:
    model = wrap(toy_segmenter(), config=config)
    assert model.adapt(FRAMES[:4]).adapted == adapted
    first = model.predict(FRAMES[4]).probabilities
    again = wrap(toy_segmenter(), config=config)
    again.adapt(FRAMES[:4])
    assert torch.equal(again.predict(FRAMES[4]).probabilities, first)
