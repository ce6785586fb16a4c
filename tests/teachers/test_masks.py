"""Masks of a frame, packed for keeping."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt.teachers.packed_masks import PackedMasks
from ditta_adapt.teachers.propagator import Masks

quick = settings(max_examples=50, deadline=None)


@st.composite
def frames(draw: st.DrawFn, ids: list[int] | None = None, scored: bool | None = None) -> Masks:
    """Masks of one frame; a width that is no multiple of 8 leaves bits over in the last byte."""
    if ids is None:
        ids = draw(st.lists(st.integers(1, 400), max_size=4, unique=True))
    h, w = draw(st.integers(1, 5)), draw(st.integers(1, 19))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    density = draw(st.sampled_from([0.0, 0.5, 1.0]))
    masks = torch.rand(len(ids), h, w, generator=generator) < density
    scores = None
    if draw(st.booleans()) if scored is None else scored:
        # Beyond the ends, so that 0 and 1 occur too.
        scores = (1.2 * torch.rand(len(ids), h, w, generator=generator) - 0.1).clamp(0, 1)
        scores = scores.to(draw(st.sampled_from([torch.float32, torch.float16, torch.float64])))
    return Masks(torch.tensor(ids, dtype=torch.int64), masks, scores)


def part_of(masks: Masks, part: slice | torch.Tensor) -> Masks:
    scores = None if masks.scores is None else masks.scores[part]
    return Masks(masks.object_ids[part], masks.masks[part], scores)


def assert_same(result: Masks, expected: Masks) -> None:
    assert torch.equal(result.object_ids, expected.object_ids)
    assert torch.equal(result.masks, expected.masks)
    assert result.object_ids.dtype == torch.int64
    assert result.masks.dtype == torch.bool
    assert (result.scores is None) == (expected.scores is None)
    if result.scores is not None and expected.scores is not None:
        assert result.scores.dtype == torch.float32
        assert result.scores.shape == expected.scores.shape
        # And what float32 itself rounds.
        off = (result.scores - expected.scores.float()).abs()
        assert not off.numel() or float(off.max()) <= 1 / 510 + 1e-6


@quick
@given(masks=frames())
def test_unpacking_undoes_packing(masks: Masks) -> None:
    packed = PackedMasks.pack(masks)
    assert packed.size == tuple(masks.masks.shape[1:])
    assert packed.object_ids == tuple(masks.object_ids.tolist())
    assert_same(packed.unpack(), masks)


@quick
@given(data=st.data())
def test_join_orders_by_id(data: st.DataObject) -> None:
    ids = data.draw(st.lists(st.integers(1, 50), max_size=6, unique=True))
    both = data.draw(frames(ids=ids))
    cut = data.draw(st.integers(0, len(ids)))
    first, second = (
        PackedMasks.pack(part_of(both, part)) for part in (slice(0, cut), slice(cut, None))
    )
    expected = part_of(both, both.object_ids.argsort())
    assert_same(first.join(second).unpack(), expected)
    assert first.join(second) == second.join(first)


@quick
@given(data=st.data())
def test_masks_without_scores_are_sure(data: st.DataObject) -> None:
    """Joined with others that have scores, in whatever order."""
    sure = data.draw(frames(ids=[1, 4], scored=False))
    height, width = sure.masks.shape[1:]
    scores = torch.rand(1, height, width)
    unsure = Masks(torch.tensor([3]), scores > 0.5, scores)
    first, second = PackedMasks.pack(sure), PackedMasks.pack(unsure)
    joined = first.join(second)
    assert joined == second.join(first)
    found = joined.unpack()
    assert found.object_ids.tolist() == [1, 3, 4]
    assert found.scores is not None
    assert torch.equal(found.scores[[0, 2]], sure.masks.float())
    assert float((found.scores[1] - scores[0]).abs().max()) <= 1 / 510 + 1e-6


@quick
@given(masks=frames(scored=True))
def test_packing_again_loses_nothing(masks: Masks) -> None:
    once = PackedMasks.pack(masks)
    assert PackedMasks.pack(once.unpack()) == once


def test_no_object() -> None:
    none = Masks(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 3, 5, dtype=torch.bool))
    packed = PackedMasks.pack(none)
    assert packed.data == ()
    assert packed.scores is None
    assert_same(packed.unpack(), none)
    assert packed.join(packed) == packed


def test_what_is_unpacked_belongs_to_the_caller() -> None:
    packed = PackedMasks.pack(Masks(torch.tensor([1]), torch.ones(1, 2, 3, dtype=torch.bool)))
    packed.unpack().masks.zero_()
    assert packed.unpack().masks.all()


@pytest.mark.parametrize("transposed", [False, True])
def test_a_mask_takes_about_a_kilobyte(transposed: bool) -> None:
    """A disc in a 480 x 854 frame, also from memory that is not contiguous."""
    y, x = torch.meshgrid(torch.arange(480), torch.arange(854), indexing="ij")
    disc = (y - 200) ** 2 + (x - 300) ** 2 < 120**2
    masks = disc.expand(3, 480, 854)
    if transposed:
        masks = masks.mT.contiguous().mT
    packed = PackedMasks.pack(Masks(torch.tensor([1, 2, 3]), masks))
    assert all(len(data) < 2000 for data in packed.data)
    assert torch.equal(packed.unpack().masks, masks)
