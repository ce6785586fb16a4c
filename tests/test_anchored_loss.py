"""Cross-entropy that holds on to a distribution, against plain formulas in float64."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ditta_adapt.errors import ShapeError
from ditta_adapt.losses import anchored_distillation_loss, distillation_loss
from tests.test_losses import EXACT, IGNORE, predictions, quick


@st.composite
def anchors(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Confidence `(B, H, W)`, with exact zeros and ones, and a distribution `(B, C, H, W)`."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10**6)))
    b, _, h, w = shape
    confidence = torch.rand(b, h, w, generator=generator, dtype=torch.float64) * 1.6 - 0.3
    anchor = 3 * torch.randn(shape, generator=generator, dtype=torch.float64)
    return confidence.clamp(0, 1), anchor.softmax(dim=1)


@quick
@given(prediction=predictions(), data=st.data())
def test_anchored_loss_pixel_by_pixel(
    prediction: tuple[Tensor, Tensor], data: st.DataObject
) -> None:
    logits, labels = prediction
    confidence, anchor = data.draw(anchors(tuple(logits.shape)))
    total = 0.0
    for b, y, x in np.ndindex(*labels.shape):
        q = np.exp(logits[b, :, y, x].numpy())
        q /= q.sum()
        c, m = int(labels[b, y, x]), float(confidence[b, y, x])
        if c == IGNORE:
            c, m = 0, 0.0
        held = sum(float(a) * math.log(p) for a, p in zip(anchor[b, :, y, x], q, strict=True))
        total -= m * math.log(q[c]) + (1 - m) * held
    loss = anchored_distillation_loss(logits, labels, confidence, anchor, ignore_index=IGNORE)
    assert loss.ndim == 0
    assert loss.item() == pytest.approx(total / labels.numel(), abs=1e-12)
    assert loss >= 0


@quick
@given(prediction=predictions(), data=st.data())
def test_full_confidence_is_plain_cross_entropy(
    prediction: tuple[Tensor, Tensor], data: st.DataObject
) -> None:
    logits, labels = prediction
    labels = labels.clamp(min=0)
    _, anchor = data.draw(anchors(tuple(logits.shape)))
    ones = torch.ones(labels.shape, dtype=torch.float64)
    loss = anchored_distillation_loss(logits, labels, ones, anchor)
    torch.testing.assert_close(loss, F.cross_entropy(logits, labels), **EXACT)
    torch.testing.assert_close(loss, distillation_loss(logits, labels), **EXACT)


@quick
@given(prediction=predictions(), data=st.data())
def test_no_confidence_is_cross_entropy_with_the_anchor(
    prediction: tuple[Tensor, Tensor], data: st.DataObject
) -> None:
    """Whatever the labels are; and an ignored label is trusted no more than that."""
    logits, labels = prediction
    confidence, anchor = data.draw(anchors(tuple(logits.shape)))
    expected = F.cross_entropy(logits, anchor)
    zeros, ignored = torch.zeros_like(confidence), torch.full_like(labels, IGNORE)
    loss = anchored_distillation_loss(logits, labels.clamp(min=0), zeros, anchor)
    torch.testing.assert_close(loss, expected, **EXACT)
    loss = anchored_distillation_loss(logits, ignored, confidence, anchor, ignore_index=IGNORE)
    torch.testing.assert_close(loss, expected, **EXACT)


@quick
@given(prediction=predictions(), data=st.data())
def test_anchored_loss_is_least_at_the_mixture(
    prediction: tuple[Tensor, Tensor], data: st.DataObject
) -> None:
    """`q = m onehot + (1 - m) a`: no gradient there, and less loss than anywhere else."""
    elsewhere, labels = prediction
    confidence, anchor = data.draw(anchors(tuple(elsewhere.shape)))
    # Short of a whole, so that the logits are finite.
    confidence = 0.99 * confidence
    trust = confidence.masked_fill(labels == IGNORE, 0.0).unsqueeze(1)
    onehot = F.one_hot(labels.clamp(min=0), elsewhere.shape[1]).movedim(-1, 1)
    logits = (trust * onehot + (1 - trust) * anchor).log().requires_grad_()
    least = anchored_distillation_loss(logits, labels, confidence, anchor, ignore_index=IGNORE)
    (gradient,) = torch.autograd.grad(least, logits)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), **EXACT)
    loss = anchored_distillation_loss(elsewhere, labels, confidence, anchor, ignore_index=IGNORE)
    assert loss >= least - 1e-12


def test_anchored_loss_by_hand() -> None:
    """q = (1/4, 3/4) and a = (1/2, 1/2) at three pixels: m = 1/2, m = 1, and no label."""
    logits = torch.tensor([0.0, math.log(3)]).view(1, 2, 1, 1).expand(1, 2, 1, 3)
    loss = anchored_distillation_loss(
        logits,
        torch.tensor([[[0, 1, 255]]]),
        torch.tensor([[[0.5, 1.0, 1.0]]]),
        torch.full((1, 2, 1, 3), 0.5),
    )
    held = (math.log(4) + math.log(4 / 3)) / 2
    total = (math.log(4) / 2 + held / 2) + math.log(4 / 3) + held
    assert loss.item() == pytest.approx(total / 3)


@pytest.mark.parametrize("ignored", [-1, 255])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_anchored_loss_with_labels_of_any_integer_dtype(dtype: torch.dtype, ignored: int) -> None:
    """With 256 classes 255 is a class, and in uint8 -1 must not be taken for it."""
    labels = torch.tensor([[[255, 254, 3]]])
    logits = torch.randn(1, 256, 1, 3, dtype=torch.float64)
    anchor, trust = torch.full_like(logits, 1 / 256), torch.ones(1, 1, 3, dtype=torch.float64)
    chosen = F.one_hot(labels, 256).movedim(-1, 1).double()
    if ignored == 255:
        chosen[..., 0] = 1 / 256
    expected = F.cross_entropy(logits, chosen)
    loss = anchored_distillation_loss(logits, labels.to(dtype), trust, anchor, ignore_index=ignored)
    torch.testing.assert_close(loss, expected, **EXACT)


def test_gradcheck_of_anchored_loss() -> None:
    labels = torch.tensor([[[0, 2, 255], [1, 1, 0]]])
    confidence = torch.tensor([[[0.0, 0.3, 0.9], [1.0, 0.5, 0.7]]], dtype=torch.float64)
    anchor = torch.randn(1, 3, 2, 3, dtype=torch.float64).softmax(dim=1)
    logits = torch.randn(1, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda z: anchored_distillation_loss(z, labels, confidence, anchor), (logits,)
    )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("logits", "labels", "confidence", "anchor"),
    [
        ((1, 2, 3, 3), (1, 3, 2), (1, 3, 3), (1, 2, 3, 3)),
        ((1, 2, 3, 3), (1, 3, 3), (1, 3, 1), (1, 2, 3, 3)),
        ((1, 2, 3, 3), (1, 3, 3), (3, 3), (1, 2, 3, 3)),
        ((1, 2, 3, 3), (1, 3, 3), (1, 3, 3), (1, 1, 3, 3)),
        ((1, 2, 3, 3), (1, 3, 3), (1, 3, 3), (1, 3, 3)),
        ((2, 3, 3), (2, 3), (2, 3), (2, 3, 3)),
        ((), (), (), ()),
    ],
)
def test_anchored_loss_of_shapes_that_do_not_fit(
    logits: tuple[int, ...],
    labels: tuple[int, ...],
    confidence: tuple[int, ...],
    anchor: tuple[int, ...],
) -> None:
    with pytest.raises(ShapeError, match=r"expected \(B, C, H, W\), twice \(B, H, W\)"):
        anchored_distillation_loss(
            torch.zeros(logits),
            torch.zeros(labels, dtype=torch.int64),
            torch.zeros(confidence),
            torch.zeros(anchor),
        )


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("shape", [(1, 2, 3), (2, 3), (1, 1, 2, 2)])
def test_a_weight_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    logits, labels = torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2, dtype=torch.int64)
    weight, half = torch.ones(shape), torch.full((1, 2, 2), 0.5)
    with pytest.raises(ShapeError, match=r"weight has shape .* and labels \(1, 2, 2\)"):
        distillation_loss(logits, labels, weight=weight)
    with pytest.raises(ShapeError, match=r"weight has shape .* and labels \(1, 2, 2\)"):
        anchored_distillation_loss(
            logits, labels, half, torch.full_like(logits, 1 / 3), weight=weight
        )
