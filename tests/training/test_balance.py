"""Weights of classes in the loss: background does not win by mass."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt import AdaptConfig
from ditta_adapt.config import CrossEntropy
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.training.balance import class_weights
from ditta_adapt.training.distillation import Distillation

quick = settings(max_examples=40, deadline=None)


def frames(*rows: list[int]) -> list[Tensor]:
    return [torch.tensor([row], dtype=torch.int16) for row in rows]


def test_a_class_counts_by_the_square_root_of_its_share():
    # Background fills 3 of 4 labelled pixels: sqrt(3/4) + sqrt(1/4) is what the shares sum to.
    weights = class_weights(frames([0, 0, IGNORE], [0, 2, IGNORE]), 4)
    total = math.sqrt(3 / 4) + math.sqrt(1 / 4)
    expected = [1 / math.sqrt(3 / 4) / total, 0.0, 1 / math.sqrt(1 / 4) / total, 0.0]
    torch.testing.assert_close(weights, torch.tensor(expected))


def test_nothing_is_labelled():
    assert class_weights(frames([IGNORE, IGNORE]), 3).tolist() == [0.0, 0.0, 0.0]


@quick
@given(
    labels=st.lists(
        st.lists(st.integers(-1, 4), min_size=3, max_size=3), min_size=1, max_size=4
    ).filter(lambda rows: any(y >= 0 for row in rows for y in row)),
    exponent=st.floats(0, 1),
)
def test_the_mean_weight_of_a_labelled_pixel_is_one(labels, exponent):
    maps = frames(*labels)
    weights = class_weights(maps, 5, exponent=exponent)
    known = torch.cat([y[y >= 0] for y in maps]).long()
    torch.testing.assert_close(weights[known].double().mean().item(), 1.0, rtol=1e-5, atol=1e-5)
    assert (weights[[c for c in range(5) if c not in known.tolist()]] == 0).all()
    by_class = {c: float(weights[known[known == c]].sum()) for c in known.unique().tolist()}
    if exponent == 1:
        assert max(by_class.values()) == pytest.approx(min(by_class.values()), rel=1e-5)
    # The rarer of two classes never weighs less.
    counts = torch.bincount(known, minlength=5)
    for a in by_class:
        for b in by_class:
            assert counts[a] > counts[b] or weights[a] >= weights[b] - 1e-6


@pytest.mark.parametrize("anchored", [False, True])
def test_each_pixel_is_weighted_by_the_class_of_its_label(anchored):
    """The loss of a frame, pixel by pixel in double precision; without a label a pixel weighs 1."""
    generator = torch.Generator().manual_seed(0)
    logits, frozen = (torch.randn(1, 3, 2, 3, generator=generator) for _ in range(2))
    labels = torch.tensor([[0, 2, 1], [1, IGNORE, 0]], dtype=torch.int16)
    trust = torch.rand(2, 3, generator=generator)
    confidence = [trust] if anchored else []
    balance = torch.tensor([0.5, 2.0, 3.0])
    targets = Targets([labels], [], {}, True, "by hand", confidence)
    options = AdaptConfig().training.distillation if anchored else CrossEntropy()
    loss = Distillation(targets, 0, lambda t: frozen, options, logits.device, balance)(logits)

    log_q = logits.double().log_softmax(dim=1)[0]
    anchor = frozen.double().softmax(dim=1)[0]
    terms = []
    for y in range(2):
        for x in range(3):
            label = int(labels[y, x])
            m = (float(trust[y, x]) if anchored else 1.0) if label != IGNORE else 0.0
            weight = float(balance[label]) if label != IGNORE else 1.0
            held = float((anchor[:, y, x] * log_q[:, y, x]).sum()) if anchored else 0.0
            term = m * float(log_q[label, y, x]) + (1 - m) * held
            terms.append(-weight * term)
    count = 6 if anchored else 5
    assert float(loss) == pytest.approx(sum(terms) / count, rel=1e-5)


def test_the_released_program_balances_nothing():
    assert AdaptConfig.paper().training.class_balance == 0
    assert AdaptConfig().training.class_balance > 0
