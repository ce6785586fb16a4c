import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.reliability import probabilities_and_reliability, reliability

quick = settings(max_examples=30, deadline=None)


@st.composite
def logit_maps(draw: st.DrawFn, min_classes: int = 2, largest_scale: float = 3.0) -> Tensor:
    """Random logits `(B, C, H, W)` in double precision, nearly flat, moderate or large."""
    shape = draw(
        st.tuples(
            st.integers(1, 2), st.integers(min_classes, 6), st.integers(1, 5), st.integers(1, 5)
        )
    )
    scale = draw(st.sampled_from([1e-3, 1.0, largest_scale]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    return scale * torch.randn(shape, generator=generator, dtype=torch.float64)


def entropy_by_hand(logits: np.ndarray) -> np.ndarray:
    """Entropy over axis 1, pixel by pixel, from log-probabilities: a different route."""
    batch, _, height, width = logits.shape
    result = np.zeros((batch, height, width))
    for b, y, x in np.ndindex(result.shape):
        z = logits[b, :, y, x]
        log_p = z - z.max() - np.log(np.exp(z - z.max()).sum())
        result[b, y, x] = -sum(math.exp(value) * value for value in log_p)
    return result


@quick
@given(logits=logit_maps())
def test_frame_normaliser_equals_the_formula(logits: Tensor) -> None:
    entropy = entropy_by_hand(logits.numpy())
    expected = 1 - entropy / entropy.max(axis=(1, 2), keepdims=True)
    # The frame's largest entropy is rarely under 1e-5, and entropies are good to 1e-15.
    np.testing.assert_allclose(reliability(logits).numpy(), expected, rtol=0, atol=1e-7)


@quick
@given(logits=logit_maps(largest_scale=300.0))
def test_classes_normaliser_equals_the_formula(logits: Tensor) -> None:
    expected = 1 - entropy_by_hand(logits.numpy()) / math.log(logits.shape[1])
    result = reliability(logits, normalizer="classes")
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=1e-12)


@quick
@given(logits=logit_maps(min_classes=1, largest_scale=300.0), single=st.booleans())
def test_it_lies_in_the_unit_interval(logits: Tensor, single: bool) -> None:
    logits = logits.float() if single else logits
    for normalizer in ("frame", "classes"):
        result = reliability(logits, normalizer=normalizer)
        assert result.shape == (logits.shape[0], *logits.shape[2:])
        assert result.dtype == logits.dtype
        assert ((result >= 0) & (result <= 1)).all()


@quick
@given(logits=logit_maps(), data=st.data())
def test_order_of_classes_and_a_constant_do_not_matter(logits: Tensor, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(logits.shape[1])))
    constant = data.draw(st.floats(-50, 50))
    for normalizer in ("frame", "classes"):
        expected = reliability(logits, normalizer=normalizer)
        permuted = reliability(logits[:, order], normalizer=normalizer)
        # Rounding of the entropy (of logits + 50: 1e-14) over the frame's largest entropy.
        torch.testing.assert_close(permuted, expected, rtol=0, atol=1e-8)
        shifted = reliability(logits + constant, normalizer=normalizer)
        torch.testing.assert_close(shifted, expected, rtol=0, atol=1e-7)


@quick
@given(logits=logit_maps())
def test_the_least_certain_pixel_of_every_frame_is_zero(logits: Tensor) -> None:
    entropy = entropy_by_hand(logits.numpy())
    for result, h in zip(reliability(logits), entropy, strict=True):
        assert result.min() == 0
        assert result.flatten()[h.argmax()] == pytest.approx(0, abs=1e-7)


@quick
@given(logits=logit_maps())
def test_frames_of_a_batch_do_not_mix(logits: Tensor) -> None:
    for normalizer in ("frame", "classes"):
        together = reliability(logits, normalizer=normalizer)
        alone = [reliability(one[None], normalizer=normalizer) for one in logits]
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-7)


@quick
@given(logits=logit_maps(min_classes=1))
def test_both_in_one_go_are_the_same_as_each(logits: Tensor) -> None:
    for normalizer in ("frame", "classes"):
        p, result = probabilities_and_reliability(logits, normalizer=normalizer)
        torch.testing.assert_close(p, logits.softmax(dim=1), rtol=0, atol=1e-14)
        # Rounding of the entropy over the frame's largest entropy.
        expected = reliability(logits, normalizer=normalizer)
        torch.testing.assert_close(result, expected, rtol=0, atol=1e-7)


def test_by_hand() -> None:
    """Two classes with p = (1/2, 1/2), (1/4, 3/4) and (0, 1)."""
    logits = torch.tensor([[[[0.0, 0.0, -math.inf]], [[0.0, math.log(3), 0.0]]]])
    half = 2 - 0.75 * math.log2(3)  # entropy of (1/4, 3/4) in bits; that of (1/2, 1/2) is 1
    expected = torch.tensor([[[0.0, 1 - half, 1.0]]])
    torch.testing.assert_close(reliability(logits), expected)
    torch.testing.assert_close(reliability(logits, normalizer="classes"), expected)


def test_normalisers_differ_where_no_pixel_is_undecided() -> None:
    """p = (1/4, 3/4) everywhere: least certain of its frame, yet not of all distributions."""
    logits = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1).expand(1, 2, 2, 3)
    assert (reliability(logits) == 0).all()
    expected = 1 - (2 - 0.75 * math.log2(3))
    assert reliability(logits, normalizer="classes") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("normalizer", ["frame", "classes"])
def test_a_certain_frame_is_reliable_everywhere(normalizer: str) -> None:
    certain = torch.full((2, 3, 2, 2), -1e4)
    certain[:, 1] = 1e4
    assert (reliability(certain, normalizer=normalizer) == 1).all()
    assert (probabilities_and_reliability(certain, normalizer=normalizer)[1] == 1).all()
    certain[0, :, 0, 0] = 0  # one undecided pixel in the first frame only
    result = reliability(certain, normalizer=normalizer)
    assert result[0, 0, 0] == pytest.approx(0, abs=1e-6)
    assert (result.flatten()[1:] == 1).all()


@pytest.mark.parametrize("normalizer", ["frame", "classes"])
def test_a_single_class_is_certain(normalizer: str) -> None:
    assert (reliability(torch.randn(1, 1, 2, 2), normalizer=normalizer) == 1).all()


@pytest.mark.parametrize("both", [False, True])
def test_rounding_does_not_leave_the_unit_interval(both: bool) -> None:
    """In single precision the entropy of a flat distribution may exceed ln C."""
    for classes in range(2, 60):
        logits = torch.full((1, classes, 1, 2), 0.3)
        result = reliability(logits, normalizer="classes")
        if both:
            _, result = probabilities_and_reliability(logits, normalizer="classes")
        assert ((result >= 0) & (result <= 1e-6)).all()


def test_a_flat_frame_is_not_reliable() -> None:
    assert (reliability(torch.zeros(1, 5, 2, 2)) == 0).all()


@pytest.mark.parametrize("normalizer", ["frame", "classes"])
def test_nan_gives_nan(normalizer: str) -> None:
    logits = torch.zeros(1, 3, 2, 2)
    logits[0, 1, 0, 1] = math.nan
    assert reliability(logits, normalizer=normalizer)[0, 0, 1].isnan()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(), (3, 2, 2), (1, 1, 3, 2, 2)])
def test_wrong_number_of_axes(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected \(B, C, H, W\)"):
        reliability(torch.zeros(shape))


@pytest.mark.usefixtures("unchecked")
def test_unknown_normaliser() -> None:
    with pytest.raises(InputError, match=r"'pixel'.*'frame' or 'classes'"):
        reliability(torch.zeros(1, 2, 1, 1), normalizer="pixel")
