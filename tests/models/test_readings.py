"""Class scores of any kind become logits with the model's own labels."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.models.readings import MapReading, QueryReading, as_logits, at, walk


def scores(seed: int, channels: int) -> Tensor:
    return 3 * torch.randn(2, channels, 3, 4, generator=torch.Generator().manual_seed(seed))


@given(seed=st.integers(0, 10_000), channels=st.integers(2, 9))
def test_probabilities_become_logits_whose_softmax_they_are(seed: int, channels: int) -> None:
    probabilities = scores(seed, channels).double().softmax(1)
    logits = as_logits(probabilities, "probabilities")
    floored = probabilities.clamp_min(1e-6)
    torch.testing.assert_close(logits.softmax(1), floored / floored.sum(1, keepdim=True))


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.01, 0.99))
def test_one_channel_is_two_classes_parted_by_the_threshold(seed: int, threshold: float) -> None:
    logit = scores(seed, 1).double()
    expected = (1 / (1 + (-logit[:, 0]).exp()) > threshold).long()
    assert torch.equal(as_logits(logit, "one logit", threshold).argmax(1), expected)
    probability = logit.sigmoid()
    assert torch.equal(as_logits(probability, "one probability", threshold).argmax(1), expected)
    if threshold == 0.5:
        assert math.isclose(float(as_logits(logit, "one logit")[:, 0].abs().max()), 0)


def test_probabilities_of_zero_and_one_are_finite() -> None:
    ends = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2)
    assert as_logits(ends, "one probability").isfinite().all()
    assert as_logits(torch.cat([ends, 1 - ends], 1), "probabilities").isfinite().all()


class Named(NamedTuple):
    scores: Tensor
    rest: list[Tensor]


@dataclass
class Record:
    first: Any
    second: dict[str, Any]


def test_every_leaf_is_found_at_its_path() -> None:
    leaves = list(torch.arange(5))
    nest = Record(Named(leaves[0], [leaves[1], leaves[2]]), {"a": (leaves[3],), "b": leaves[4]})
    found = dict(walk(nest))
    assert list(found.values()) == leaves
    assert ("first", "rest", 1) in found
    for path, leaf in found.items():
        assert at(nest, path) is leaf


def test_a_function_of_the_users() -> None:
    reading = MapReading(lambda output: output["mine"], "one logit")
    found = reading({"mine": scores(0, 1)})
    assert found.shape == (2, 2, 3, 4)
    assert torch.equal(found[:, 1:], scores(0, 1))


@pytest.mark.parametrize("names", [("class_queries_logits", "masks_queries_logits")])
def test_queries(names: tuple[str, str]) -> None:
    classes, masks = torch.randn(1, 3, 5), torch.randn(1, 3, 2, 2)
    found = QueryReading(*names)({names[0]: classes, names[1]: masks})
    summed = torch.einsum("bqc,bqhw->bchw", classes.softmax(-1)[..., :-1], masks.sigmoid())
    expected = summed / summed.sum(1, keepdim=True)
    torch.testing.assert_close(found.softmax(1), expected, atol=1e-6, rtol=1e-4)
