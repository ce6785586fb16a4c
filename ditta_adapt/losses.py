"""The two losses of adaptation: distillation (Eq. 5) and mask-contrastive alignment (Eq. 6, 7)."""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from ditta_adapt.errors import InputError, ShapeError

Reduction = Literal["valid", "all"]


def distillation_loss(
    logits: Float[Tensor, "B C H W"],
    labels: Integer[Tensor, "B H W"],
    *,
    ignore_index: int = 255,
    double_softmax: bool = False,
    reduction: Reduction = "valid",
    weight: Float[Tensor, "B H W"] | None = None,
) -> Float[Tensor, ""]:
    r"""Cross-entropy of a prediction with the propagator's labels.

    .. math:: L = \frac{1}{|\Omega|} \sum_{x : y(x) \ne ignore} -w(x) \ln q_{y(x)}(x)

    with `q = softmax(logits)`, or, for `double_softmax`, `q = softmax(softmax(logits))`.

    Args:
        logits: `(B, C, H, W)`.
        labels: `(B, H, W)` integers in `[0, C)`, or `ignore_index`.
        ignore_index: the label that is left out.
        double_softmax: take the softmax of the logits first and feed the *probabilities* into
            the cross-entropy, as the released program does. It flattens the gradient: the loss
            cannot fall under `ln(1 + (C - 1) / e)`.
        reduction: `"valid"`: the mean over labelled pixels, 0 where there is none; `"all"`: the
            sum over labelled pixels divided by the number of all pixels.
        weight: `w`, `(B, H, W)`, at least 0; 1 everywhere if not given.

    Returns:
        A scalar, at least 0.

    Raises:
        ShapeError: `labels` or `weight` does not fit `logits`.
        InputError: unknown `reduction`.

    Source: paper, Eq. 5; `double_softmax=True, reduction="all"` is the released program.
    """
    if logits.ndim != 4 or (logits.shape[0], *logits.shape[2:]) != tuple(labels.shape):
        raise ShapeError(
            f"logits has shape {tuple(logits.shape)} and labels {tuple(labels.shape)}; expected "
            "(B, C, H, W) and (B, H, W)."
        )
    _check_weight(weight, labels)
    labels = labels.long()
    scores = logits.softmax(dim=1) if double_softmax else logits
    each = F.cross_entropy(scores, labels, ignore_index=ignore_index, reduction="none")
    total = (each if weight is None else each * weight).sum()
    if reduction == "all":
        return total / max(labels.numel(), 1)
    if reduction == "valid":
        return total / (labels != ignore_index).sum().clamp(min=1).item()
    raise InputError(f"reduction is {reduction!r}; expected 'valid' or 'all'.")


def anchored_distillation_loss(
    logits: Float[Tensor, "B C H W"],
    labels: Integer[Tensor, "B H W"],
    confidence: Float[Tensor, "B H W"],
    anchor: Float[Tensor, "B C H W"],
    *,
    ignore_index: int = 255,
    weight: Float[Tensor, "B H W"] | None = None,
) -> Float[Tensor, ""]:
    r"""Cross-entropy with labels that are trusted only so far; the rest holds on to a distribution.

    .. math:: L = \frac{1}{|\Omega|} \sum_x -w(x) \left( m(x) \ln q_{y(x)}(x)
              + (1 - m(x)) \sum_c a_c(x) \ln q_c(x) \right)

    with `q = softmax(logits)`. Leaving doubtful pixels out instead would let the pixels that are
    certain, mostly background, take them over.

    Args:
        logits: `(B, C, H, W)`.
        labels: `y`, `(B, H, W)` integers in `[0, C)`, or `ignore_index`, which counts as `m = 0`.
        confidence: `m`, `(B, H, W)` in [0, 1].
        anchor: `a`, `(B, C, H, W)`, a distribution over classes at every pixel.
        ignore_index: the label that is not trusted at all.
        weight: `w`, `(B, H, W)`, at least 0; 1 everywhere if not given.

    Returns:
        A scalar, at least 0, and least where `q` is `m` parts label and `1 - m` parts anchor.

    Raises:
        ShapeError: the shapes do not belong together.

    Source: ours; `m = 1` is the paper's Eq. 5.
    """
    expected = (*logits.shape[:1], *logits.shape[2:])
    shapes = (tuple(labels.shape), tuple(confidence.shape))
    if logits.ndim != 4 or shapes != (expected, expected) or anchor.shape != logits.shape:
        raise ShapeError(
            f"logits has shape {tuple(logits.shape)}, labels {shapes[0]}, confidence {shapes[1]} "
            f"and anchor {tuple(anchor.shape)}; expected (B, C, H, W), twice (B, H, W), and "
            "(B, C, H, W)."
        )
    _check_weight(weight, labels)
    log_q = logits.log_softmax(dim=1)
    labels = labels.long()
    known = labels != ignore_index
    chosen = torch.where(known, labels, 0).unsqueeze(1)
    trust = torch.where(known, confidence, 0.0)
    of_label = log_q.gather(1, chosen).squeeze(1)
    of_anchor = (anchor * log_q).sum(dim=1)
    each = torch.lerp(of_anchor, of_label, trust)
    return -(each if weight is None else each * weight).mean()


def mask_prototypes(
    features: Float[Tensor, "D H W"],
    object_ids: Int64[Tensor, "H W"],
    reliability: Float[Tensor, "H W"],
) -> tuple[Int64[Tensor, " N"], Float[Tensor, "N D"]]:
    r"""One unit vector per object: its mean feature, weighted by reliability.

    .. math:: v_o = \frac{u_o}{\lVert u_o \rVert}, \qquad
              u_o = \frac{1}{|M_o|} \sum_{x \in M_o} R(x)\, G(x)

    Args:
        features: `G`, `(D, H, W)`, unit length over `D` (not checked).
        object_ids: `(H, W)` int64, 0 where there is no object.
        reliability: `R`, `(H, W)`, at least 0.

    Returns:
        ids `(N,)` int64 in increasing order, and prototypes `(N, D)`, unit length, without
        gradient. An object whose weighted mean is 0 gets its unweighted mean; if that is 0 too,
        its prototype is 0.

    Raises:
        ShapeError: the three do not share `H, W`.

    Source: paper, Eq. 6.
    """
    _check_map("object_ids", object_ids, features)
    _check_map("reliability", reliability, features)
    inside = object_ids > 0
    ids, slots, counts = torch.unique(object_ids[inside], return_inverse=True, return_counts=True)
    pixels = features.detach()[:, inside].T
    weights = reliability.detach()[inside].to(pixels.dtype)

    def mean(weighted: Tensor) -> Tensor:
        sums: Tensor = weighted.new_zeros(len(ids), features.shape[0]).index_add_(
            0, slots, weighted
        )
        average: Tensor = sums / counts.unsqueeze(1)
        return average

    weighted, plain = mean(pixels * weights.unsqueeze(1)), mean(pixels)
    usable = weighted.norm(dim=1, keepdim=True) > 0
    return ids, F.normalize(torch.where(usable, weighted, plain), dim=1, eps=1e-30)


def mask_contrastive_loss(
    features: Float[Tensor, "D H W"],
    object_ids: Int64[Tensor, "H W"],
    ids: Int64[Tensor, " N"],
    prototypes: Float[Tensor, "N D"],
    *,
    temperature: float = 1.0,
) -> Float[Tensor, ""]:
    r"""Pull every pixel's feature to its object's prototype, away from the other objects'.

    .. math:: L = \frac{1}{HW} \sum_{x : o(x) \in ids} - \ln
              \frac{\exp(G(x) \cdot v_{o(x)} / T)}{\sum_{o' \in ids} \exp(G(x) \cdot v_{o'} / T)}

    Args:
        features: `G`, `(D, H, W)`, unit length over `D` (not checked).
        object_ids: `(H, W)` int64; pixels of no listed object count 0 in the mean.
        ids: `(N,)` int64, increasing.
        prototypes: `(N, D)`; they receive no gradient.
        temperature: `T > 0`.

    Returns:
        A scalar, at least 0; exactly 0 for fewer than two objects.

    Raises:
        ShapeError: shapes that do not belong together.
        InputError: `temperature` not above 0.

    Source: paper, Eq. 7.
    """
    _check_map("object_ids", object_ids, features)
    if tuple(prototypes.shape) != (len(ids), features.shape[0]):
        raise ShapeError(
            f"prototypes has shape {tuple(prototypes.shape)}; expected "
            f"{(len(ids), features.shape[0])}: one row per id, one column per feature channel."
        )
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}; expected a number above 0.")
    known = torch.isin(object_ids, ids)
    slots = torch.searchsorted(ids, object_ids[known])
    similarity = features[:, known].T @ prototypes.detach().to(features.dtype).T / temperature
    if len(ids) == 0:
        return similarity.sum()
    return F.cross_entropy(similarity, slots, reduction="sum") / object_ids.numel()


def _check_weight(weight: Tensor | None, labels: Tensor) -> None:
    if weight is not None and weight.shape != labels.shape:
        raise ShapeError(
            f"weight has shape {tuple(weight.shape)} and labels {tuple(labels.shape)}; expected "
            "the same."
        )


def _check_map(name: str, value: Tensor, features: Tensor) -> None:
    if features.ndim != 3 or value.shape != features.shape[1:]:
        raise ShapeError(
            f"features has shape {tuple(features.shape)} and {name} {tuple(value.shape)}; "
            "expected (D, H, W) and (H, W)."
        )
