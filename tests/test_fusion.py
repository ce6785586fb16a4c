import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.fusion import fuse

quick = settings(max_examples=40, deadline=None)
Maps = tuple[Tensor, Tensor, Tensor, Tensor]


@st.composite
def maps(draw: st.DrawFn) -> Maps:
    """Two distributions and two reliability maps, with exact zeros and ones among the latter."""
    b, c, h, w = (draw(st.integers(1, n)) for n in (2, 5, 4, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    raw = torch.randn(2, b, c, h, w, generator=generator, dtype=torch.float64)
    probs, addon_probs = raw.mul(3).softmax(dim=2)
    rel = torch.rand(2, b, h, w, generator=generator, dtype=torch.float64) * 1.6 - 0.3
    rel, addon_rel = rel.clamp(0, 1)
    return probs, addon_probs, rel, addon_rel


def fuse_by_hand(
    probs: np.ndarray, other: np.ndarray, rel: np.ndarray, other_rel: np.ndarray, tau: float
) -> np.ndarray:
    result = probs.copy()
    for b, y, x in np.ndindex(rel.shape):
        r, s = rel[b, y, x], other_rel[b, y, x]
        if r < tau:
            w = 0.5 if r == s == 0 else r / (r + s)
            result[b, :, y, x] = w * probs[b, :, y, x] + (1 - w) * other[b, :, y, x]
    return result


@quick
@given(maps=maps(), threshold=st.floats(0, 1))
def test_it_equals_eq_3_pixel_by_pixel(maps: Maps, threshold: float) -> None:
    expected = fuse_by_hand(*(m.numpy() for m in maps), threshold)
    result = fuse(*maps, threshold=threshold)
    np.testing.assert_allclose(result.numpy(), expected, rtol=0, atol=1e-14)


@quick
@given(maps=maps(), threshold=st.floats(0, 1))
def test_the_result_is_a_distribution_between_the_two(maps: Maps, threshold: float) -> None:
    result = fuse(*maps, threshold=threshold)
    assert result.shape == maps[0].shape
    torch.testing.assert_close(result.sum(dim=1), torch.ones_like(maps[2]), rtol=0, atol=1e-12)
    low, high = torch.minimum(*maps[:2]), torch.maximum(*maps[:2])
    assert ((result >= low - 1e-15) & (result <= high + 1e-15)).all()


@quick
@given(maps=maps())
def test_threshold_zero_is_the_identity(maps: Maps) -> None:
    assert torch.equal(fuse(*maps, threshold=0), maps[0])


@quick
@given(maps=maps(), threshold=st.floats(0, 1))
def test_reliable_pixels_stay_as_they_are(maps: Maps, threshold: float) -> None:
    keep = (maps[2] >= threshold)[:, None].expand_as(maps[0])
    assert torch.equal(fuse(*maps, threshold=threshold)[keep], maps[0][keep])


@quick
@given(maps=maps(), data=st.data())
def test_classes_may_be_permuted(maps: Maps, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(maps[0].shape[1])))
    permuted = fuse(maps[0][:, order], maps[1][:, order], *maps[2:])
    assert torch.equal(permuted, fuse(*maps)[:, order])


@quick
@given(maps=maps())
def test_swapping_the_branches_changes_nothing_below_the_threshold(maps: Maps) -> None:
    """With threshold 1, w and 1 - w change places, wherever both are below it."""
    probs, addon_probs, rel, addon_rel = maps
    both = ((rel < 1) & (addon_rel < 1))[:, None].expand_as(probs)
    forth = fuse(probs, addon_probs, rel, addon_rel, threshold=1)[both]
    back = fuse(addon_probs, probs, addon_rel, rel, threshold=1)[both]
    torch.testing.assert_close(forth, back, rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("rel", "addon_rel", "expected"),
    [
        (0.0, 0.0, 0.5),  # neither is reliable: w = 0.5 by definition
        (0.0, 0.7, 0.0),
        (0.6, 0.0, 1.0),
        (0.25, 0.75, 0.25),
        (0.5, 0.5, 0.5),
        (0.75, 0.25, 0.75),
        (0.8125, 1.0, 1.0),  # above the threshold of 0.8
    ],
)
def test_by_hand(rel: float, addon_rel: float, expected: float) -> None:
    """From (1, 0) and (0, 1) the first entry of the result is w itself."""
    first, second = torch.eye(2).view(2, 1, 2, 1, 1)
    result = fuse(first, second, torch.full((1, 1, 1), rel), torch.full((1, 1, 1), addon_rel))
    assert result.flatten().tolist() == pytest.approx([expected, 1 - expected])


def test_the_threshold_itself_counts_as_reliable() -> None:
    first, second = torch.eye(2).view(2, 1, 2, 1, 1)
    rel = torch.full((1, 1, 1), 0.5)
    assert fuse(first, second, rel, rel, threshold=0.5)[0, 0] == 1
    assert fuse(first, second, rel, rel, threshold=0.5001)[0, 0] == 0.5


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("probs", "addon_probs", "rel", "addon_rel"),
    [
        ((1, 2, 3, 3), (1, 3, 3, 3), (1, 3, 3), (1, 3, 3)),
        ((2, 3, 3), (2, 3, 3), (2, 3), (2, 3)),
        ((1, 2, 3, 3), (1, 2, 3, 3), (1, 3, 2), (1, 3, 3)),
        ((1, 2, 3, 3), (1, 2, 3, 3), (1, 3, 3), (3, 3)),
        ((1, 2, 3, 3), (1, 2, 3, 3), (2, 3, 3), (2, 3, 3)),
        ((), (), (), ()),
    ],
)
def test_shapes_that_do_not_belong_together(
    probs: tuple[int, ...],
    addon_probs: tuple[int, ...],
    rel: tuple[int, ...],
    addon_rel: tuple[int, ...],
) -> None:
    with pytest.raises(ShapeError, match="expected"):
        fuse(*(torch.full(shape, 0.5) for shape in (probs, addon_probs, rel, addon_rel)))


@pytest.mark.parametrize("threshold", [-0.01, 1.01, float("nan")])
def test_threshold_out_of_range(threshold: float) -> None:
    p, r = torch.full((1, 2, 1, 1), 0.5), torch.full((1, 1, 1), 0.5)
    with pytest.raises(InputError, match=r"threshold is .*in \[0, 1\]"):
        fuse(p, p, r, r, threshold=threshold)
