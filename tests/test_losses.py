import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.losses import (
    distillation_loss,
    mask_contrastive_loss,
    mask_prototypes,
)

quick = settings(max_examples=40, deadline=None)
IGNORE = -1
# Double precision, a few hundred terms of order 1.
EXACT = {"rtol": 0.0, "atol": 1e-12}


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Logits `(B, C, H, W)` and labels, part of them (or all) ignored."""
    b, c, h, w = (draw(st.integers(1, n)) for n in (2, 5, 4, 4))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    logits = 3 * torch.randn(b, c, h, w, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, c, (b, h, w), generator=generator)
    ignored = torch.rand(b, h, w, generator=generator) < draw(st.sampled_from([0.0, 0.4, 1.0]))
    return logits, labels.masked_fill(ignored, IGNORE)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Tensor, Tensor, Tensor]:
    """Unit features `(D, H, W)`, object ids with gaps between them, reliability."""
    d, h, w = (draw(st.integers(2, n)) for n in (5, 5, 5))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    features = torch.randn(d, h, w, generator=generator, dtype=torch.float64)
    names = torch.tensor([0, 2, 3, 300])
    objects = torch.randint(0, draw(st.integers(1, 4)), (h, w), generator=generator)
    reliability = torch.rand(h, w, generator=generator, dtype=torch.float64)
    return F.normalize(features, dim=0), names[objects], reliability


@quick
@given(prediction=predictions())
def test_distillation_is_cross_entropy_on_logits(prediction: tuple[Tensor, Tensor]) -> None:
    logits, labels = prediction
    for ignored, reduction in ((IGNORE, "valid"), (77, "valid"), (77, "all")):
        y = torch.where(labels == IGNORE, ignored, labels)
        loss = distillation_loss(logits, y, ignore_index=ignored, reduction=reduction)
        if reduction == "all":
            expected = F.cross_entropy(logits, y, ignore_index=ignored, reduction="none").mean()
        elif (labels == IGNORE).all():
            expected = torch.zeros_like(loss)
        else:
            expected = F.cross_entropy(logits, y, ignore_index=ignored)
        torch.testing.assert_close(loss, expected, **EXACT)
        assert loss.ndim == 0
        assert loss >= 0


@quick
@given(prediction=predictions())
def test_distillation_from_probabilities(prediction: tuple[Tensor, Tensor]) -> None:
    """Softmax of softmax, pixel by pixel, and its lower bound."""
    logits, labels = prediction
    terms = []
    for b, y, x in np.ndindex(*labels.shape):
        c = int(labels[b, y, x])
        if c != IGNORE:
            p = np.exp(logits[b, :, y, x].numpy())
            p /= p.sum()
            terms.append(math.log(np.exp(p).sum()) - p[c])
    bound = math.log(1 + (logits.shape[1] - 1) / math.e)
    for reduction, count in (("valid", max(len(terms), 1)), ("all", labels.numel())):
        loss = distillation_loss(
            logits, labels, ignore_index=IGNORE, double_softmax=True, reduction=reduction
        )
        assert loss.item() == pytest.approx(sum(terms) / count, abs=1e-12)
        assert loss.item() >= bound * len(terms) / count - 1e-12


@pytest.mark.parametrize("classes", [2, 5, 124])
def test_the_bound_from_probabilities_is_reached_by_a_perfect_prediction(classes: int) -> None:
    labels = torch.arange(6).remainder(classes).view(1, 2, 3)
    logits = 1e3 * F.one_hot(labels, classes).movedim(-1, 1).double()
    bound = math.log(1 + (classes - 1) / math.e)
    loss = distillation_loss(logits, labels, double_softmax=True)
    assert loss.item() == pytest.approx(bound, abs=1e-12)
    assert distillation_loss(logits, labels).item() == pytest.approx(0, abs=1e-12)


def test_distillation_by_hand() -> None:
    """q = (1/4, 3/4) at two pixels, labels 0 and 1, and a third pixel that is ignored."""
    logits = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    labels = torch.tensor([[[0, 1, 255]]])
    total = math.log(4) + math.log(4 / 3)
    assert distillation_loss(logits, labels).item() == pytest.approx(total / 2)
    assert distillation_loss(logits, labels, reduction="all").item() == pytest.approx(total / 3)


@pytest.mark.parametrize("double_softmax", [False, True])
@pytest.mark.parametrize("reduction", ["valid", "all"])
def test_all_pixels_ignored(double_softmax: bool, reduction: str) -> None:
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = distillation_loss(
        logits,
        torch.full((1, 2, 2), 255),
        double_softmax=double_softmax,
        reduction=reduction,
    )
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("ignored", [-1, 255])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_labels_of_any_integer_dtype(dtype: torch.dtype, ignored: int) -> None:
    """With 256 classes 255 is a class, and in uint8 -1 must not be taken for it."""
    labels = torch.tensor([[[255, 254, 3]]]).to(dtype)
    logits = torch.randn(1, 256, 1, 3, dtype=torch.float64)
    expected = F.cross_entropy(logits, labels.long(), ignore_index=ignored)
    loss = distillation_loss(logits, labels, ignore_index=ignored)
    torch.testing.assert_close(loss, expected, **EXACT)


@pytest.mark.parametrize("double_softmax", [False, True])
@pytest.mark.parametrize("reduction", ["valid", "all"])
def test_gradcheck_of_distillation(double_softmax: bool, reduction: str) -> None:
    labels = torch.tensor([[[0, 2, 255], [1, 1, 0]]])

    def loss(logits: Tensor) -> Tensor:
        return distillation_loss(logits, labels, double_softmax=double_softmax, reduction=reduction)

    logits = torch.randn(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (logits,))


def prototypes_by_hand(
    features: np.ndarray, objects: np.ndarray, reliability: np.ndarray
) -> dict[int, np.ndarray]:
    result = {}
    for o in sorted(set(objects[objects > 0].tolist())):
        pixels = [p for p in np.ndindex(objects.shape) if objects[p] == o]
        mean = sum(features[:, y, x] * reliability[y, x] for y, x in pixels) / len(pixels)
        if not any(reliability[p] for p in pixels):
            mean = sum(features[:, y, x] for y, x in pixels) / len(pixels)
        result[o] = mean / math.sqrt((mean**2).sum())
    return result


@quick
@given(scene=scenes(), unreliable=st.booleans())
def test_prototypes_equal_eq_6(scene: tuple[Tensor, Tensor, Tensor], unreliable: bool) -> None:
    features, objects, reliability = scene
    if unreliable:
        reliability = reliability.masked_fill(objects == 3, 0.0)
    ids, prototypes = mask_prototypes(features, objects, reliability)
    expected = prototypes_by_hand(features.numpy(), objects.numpy(), reliability.numpy())
    assert ids.tolist() == list(expected)
    assert prototypes.shape == (len(expected), features.shape[0])
    for row, reference in zip(prototypes, expected.values(), strict=True):
        np.testing.assert_allclose(row.numpy(), reference, rtol=0, atol=1e-11)
        assert row.norm().item() == pytest.approx(1)


@quick
@given(scene=scenes(), factor=st.floats(0.01, 100))
def test_prototypes_do_not_depend_on_the_scale_of_reliability(
    scene: tuple[Tensor, Tensor, Tensor], factor: float
) -> None:
    features, objects, reliability = scene
    _, expected = mask_prototypes(features, objects, reliability)
    _, scaled = mask_prototypes(features, objects, factor * reliability)
    torch.testing.assert_close(scaled, expected, rtol=0, atol=1e-11)


def test_prototypes_carry_no_gradient() -> None:
    features = F.normalize(torch.randn(3, 2, 2), dim=0).requires_grad_()
    reliability = torch.rand(2, 2, requires_grad=True)
    ids, prototypes = mask_prototypes(features, torch.tensor([[1, 1], [0, 2]]), reliability)
    assert not prototypes.requires_grad
    loss = mask_contrastive_loss(
        features, torch.tensor([[1, 1], [0, 2]]), ids, prototypes.requires_grad_()
    )
    gradient = torch.autograd.grad(loss, (features, prototypes), allow_unused=True)
    assert gradient[0].abs().sum() > 0
    assert gradient[1] is None


def contrastive_by_hand(
    features: np.ndarray, objects: np.ndarray, ids: list[int], prototypes: np.ndarray, t: float
) -> float:
    total = 0.0
    for y, x in np.ndindex(objects.shape):
        if objects[y, x] in ids:
            e = np.exp(prototypes @ features[:, y, x] / t)
            total -= math.log(e[ids.index(objects[y, x])] / e.sum())
    return total / objects.size


@quick
@given(
    scene=scenes(),
    ids=st.sets(st.sampled_from([1, 2, 3, 50, 300])).map(sorted),
    temperature=st.sampled_from([0.1, 1.0, 7.0]),
    seed=st.integers(0, 10**6),
)
def test_contrastive_loss_equals_eq_7(
    scene: tuple[Tensor, Tensor, Tensor], ids: list[int], temperature: float, seed: int
) -> None:
    """Ids that are not in the frame still compete; objects that are not listed count 0."""
    features, objects, _ = scene
    generator = torch.Generator().manual_seed(seed)
    shape = (len(ids), features.shape[0])
    prototypes = torch.randn(shape, generator=generator, dtype=torch.float64)
    prototypes = F.normalize(prototypes, dim=1)
    loss = mask_contrastive_loss(
        features,
        objects,
        torch.tensor(ids, dtype=torch.int64),
        prototypes,
        temperature=temperature,
    )
    expected = contrastive_by_hand(
        features.numpy(), objects.numpy(), ids, prototypes.numpy(), temperature
    )
    assert loss.item() == pytest.approx(expected, abs=1e-11)
    assert loss >= 0


@quick
@given(scene=scenes(), data=st.data())
def test_names_of_objects_do_not_matter(
    scene: tuple[Tensor, Tensor, Tensor], data: st.DataObject
) -> None:
    """Other names put the prototypes in another order; the loss is the same."""
    features, objects, reliability = scene
    names = torch.zeros(301, dtype=torch.int64)
    new = data.draw(st.lists(st.integers(1, 99), min_size=3, max_size=3, unique=True))
    names[[2, 3, 300]] = torch.tensor(new)
    ids, prototypes = mask_prototypes(features, objects, reliability)
    assume(len(ids) > 0)
    new_ids, new_prototypes = mask_prototypes(features, names[objects], reliability)
    assert new_ids.tolist() == sorted(names[ids].tolist())
    order = torch.searchsorted(new_ids, names[ids])
    torch.testing.assert_close(new_prototypes[order], prototypes, **EXACT)
    loss = mask_contrastive_loss(features, objects, ids, prototypes)
    renamed = mask_contrastive_loss(features, names[objects], new_ids, new_prototypes)
    torch.testing.assert_close(renamed, loss, **EXACT)


@pytest.mark.parametrize("objects", [[0, 0, 0], [4, 4, 0], [4, 4, 4]])
def test_fewer_than_two_objects_cost_exactly_nothing(objects: list[int]) -> None:
    features = F.normalize(torch.randn(5, 1, 3), dim=0).requires_grad_()
    ids, prototypes = mask_prototypes(features, torch.tensor([objects]), torch.rand(1, 3))
    assert len(ids) == len(set(objects) - {0})
    loss = mask_contrastive_loss(features, torch.tensor([objects]), ids, prototypes)
    assert loss.item() == 0
    (gradient,) = torch.autograd.grad(loss, features)
    assert (gradient == 0).all()


def test_contrastive_loss_by_hand() -> None:
    """Two orthogonal prototypes; one pixel on its own, one on the other's, one in no object."""
    features = torch.tensor([[[1.0, 1.0, 0.0]], [[0.0, 0.0, 1.0]]])
    loss = mask_contrastive_loss(
        features, torch.tensor([[1, 2, 0]]), torch.tensor([1, 2]), torch.eye(2)
    )
    expected = (math.log(1 + 1 / math.e) + math.log(1 + math.e)) / 3
    assert loss.item() == pytest.approx(expected)


def test_gradcheck_of_contrastive_loss() -> None:
    objects = torch.tensor([[1, 0, 5], [5, 9, 1]])
    prototypes = F.normalize(torch.randn(2, 3, dtype=torch.float64), dim=1)
    features = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda g: mask_contrastive_loss(
            g, objects, torch.tensor([1, 5]), prototypes, temperature=0.5
        ),
        (features,),
    )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("logits", "labels"),
    [((1, 2, 3, 3), (1, 3, 2)), ((1, 2, 3, 3), (3, 3)), ((2, 3, 3), (2, 3)), ((), ())],
)
def test_labels_that_do_not_fit(logits: tuple[int, ...], labels: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"expected \(B, C, H, W\) and \(B, H, W\)"):
        distillation_loss(torch.zeros(logits), torch.zeros(labels, dtype=torch.int64))


@pytest.mark.usefixtures("unchecked")
def test_maps_and_prototypes_that_do_not_fit() -> None:
    features, objects = torch.zeros(2, 3, 3), torch.zeros(3, 3, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"object_ids \(3, 2\)"):
        mask_prototypes(features, objects[:, :2], torch.ones(3, 3))
    with pytest.raises(ShapeError, match=r"reliability \(3, 2\)"):
        mask_prototypes(features, objects, torch.ones(3, 2))
    with pytest.raises(ShapeError, match=r"object_ids \(3, 2\)"):
        mask_contrastive_loss(features, objects[:, :2], torch.tensor([1]), torch.ones(1, 2))
    for shape in ((2, 2), (1, 3), (2,)):
        with pytest.raises(ShapeError, match=r"expected \(1, 2\)"):
            mask_contrastive_loss(features, objects, torch.tensor([1]), torch.ones(shape))


@pytest.mark.usefixtures("unchecked")
def test_unknown_reduction() -> None:
    with pytest.raises(InputError, match=r"'sum'.*'valid' or 'all'"):
        distillation_loss(torch.zeros(1, 2, 1, 1), torch.zeros(1, 1, 1).long(), reduction="sum")


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
def test_temperature_must_be_positive(temperature: float) -> None:
    args = torch.zeros(2, 1, 1), torch.ones(1, 1).long(), torch.tensor([1]), torch.ones(1, 2)
    with pytest.raises(InputError, match="above 0"):
        mask_contrastive_loss(*args, temperature=temperature)
