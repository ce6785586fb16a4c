"""Pseudo labels refined by those of a neighbouring frame."""

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, Integer
from torch import Tensor

from ditta_adapt.baselines.arguments import check_choice
from ditta_adapt.config import AdaptConfig
from ditta_adapt.errors import InputError, ShapeError
from ditta_adapt.progress import Progress, ProgressCallback
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import open_warper, warp_maps
from ditta_adapt.teachers.propagator import DenseWarper, Propagator

Strategy = Literal["consistency", "max_confidence", "warp"]


def consistent_labels(
    labels: Integer[Tensor, "H W"], warped: Integer[Tensor, "H W"], *, ignore_index: int = 255
) -> Integer[Tensor, "H W"]:
    r"""Keep a label where the neighbouring frame agrees.

    .. math:: \hat y_t \text{ where } \hat y_t = \hat y'_{t+k}, \text{ else } ignore

    Args:
        labels: `(H, W)` integers of frame `t`, or `ignore_index`.
        warped: `(H, W)`, labels of the neighbour brought into frame `t`; `ignore_index` where
            there is none. To ignore is never to agree.
        ignore_index: the label that teaches nothing.

    Returns:
        `(H, W)` in the dtype of `labels`.

    Raises:
        ShapeError: the maps differ in shape.

    Source: UnifiedVideoDA (arXiv 2402.00868), consistency.
    """
    _check_shapes(labels=labels, warped=warped)
    return torch.where(labels == warped, labels, torch.full_like(labels, ignore_index))


def most_confident_labels(
    labels: Integer[Tensor, "H W"],
    confidence: Float[Tensor, "H W"],
    warped: Integer[Tensor, "H W"],
    warped_confidence: Float[Tensor, "H W"],
    *,
    ignore_index: int = 255,
) -> Integer[Tensor, "H W"]:
    r"""Of a frame's own label and its neighbour's take the more confident one.

    .. math:: \hat y_t \text{ where } \hat p_t > \hat p'_{t+k}
              \text{ or the neighbour has none, else } \hat y'_{t+k}

    The paper prints `<` for `>`, against its own words; its program has `>`.

    Args:
        labels: `(H, W)` integers of frame `t`.
        confidence: `(H, W)`, their probability.
        warped: `(H, W)`, labels of the neighbour brought into frame `t`; `ignore_index` where
            there is none.
        warped_confidence: `(H, W)`, their probability, brought along.
        ignore_index: the label that says that there is none.

    Returns:
        `(H, W)` in the dtype of `labels`.

    Raises:
        ShapeError: the maps differ in shape.

    Source: UnifiedVideoDA (arXiv 2402.00868), max confidence.
    """
    _check_shapes(
        labels=labels, confidence=confidence, warped=warped, warped_confidence=warped_confidence
    )
    own = (confidence > warped_confidence) | (warped == ignore_index)
    return torch.where(own, labels, warped.to(labels.dtype))


def oracle_labels(
    labels: Integer[Tensor, "H W"], truth: Integer[Tensor, "H W"], *, ignore_index: int = 255
) -> Integer[Tensor, "H W"]:
    """Keep a label where it is true: what a perfect filter of pseudo labels would leave.

    Args:
        labels: `(H, W)` integers, or `ignore_index`.
        truth: `(H, W)` integers; where it is `ignore_index`, nothing is true.
        ignore_index: the label that teaches nothing.

    Returns:
        `(H, W)` in the dtype of `labels`.

    Raises:
        ShapeError: the maps differ in shape.

    Source: UnifiedVideoDA (arXiv 2402.00868), oracle.
    """
    _check_shapes(labels=labels, truth=truth)
    return torch.where(labels == truth, labels, torch.full_like(labels, ignore_index))


def warped_labels(
    session: DenseWarper, labels: Integer[Tensor, "H W"], t: int, to: int
) -> tuple[Int64[Tensor, "H W"], Bool[Tensor, "H W"]]:
    """Bring labels from frame `t` to another: every class as a map, then the strongest.

    To a frame farther away they go by all frames in between.

    Args:
        session: of a propagator that warps dense maps.
        labels: `(H, W)` integers at least 0, of frame `t`.
        t: the frame they are of.
        to: any other frame.

    Returns:
        `(H, W)` int64, 0 where no label arrives; and `(H, W)` bool, where one does.

    Raises:
        PropagationError: the session raised, or what it returned does not fit.
    """
    classes, index = torch.unique(labels, return_inverse=True)
    one_hot = F.one_hot(index, len(classes)).permute(2, 0, 1).float()
    moved, valid = warp_along(session, one_hot, t, to)
    strength, winner = moved.max(dim=0)
    valid = valid & (strength > 0)
    return torch.where(valid, classes[winner].long(), 0), valid


def warp_along(
    session: DenseWarper, maps: Float[Tensor, "K H W"], t: int, to: int
) -> tuple[Float[Tensor, "K H W"], Bool[Tensor, "H W"]]:
    """Warp maps from frame `t` to any other, from neighbour to neighbour; and what arrives.

    Raises:
        PropagationError: the session raised, or what it returned does not fit.
    """
    step = 1 if to > t else -1
    maps, valid = warp_maps(session, maps, t, t + step)
    for near in range(t + step, to, step):
        there = valid.to(maps).unsqueeze(0)
        moved, valid = warp_maps(session, torch.cat([maps, there]), near, near + step)
        maps, valid = moved[:-1], valid & (moved[-1] > 0.5)
    return maps, valid


class RefinedLabels:
    """Target builder: the image model's own labels, refined by one neighbouring frame's.

    The propagator warps the neighbour's labels, and their confidence (the largest class
    probability of the frozen model), into every frame. A frame without that neighbour keeps its
    own labels. `config.fill` plays no part: a pixel without a refined label teaches nothing.

    Args:
        strategy: `"consistency"` keeps a label where both agree, `"max_confidence"` takes the
            more confident of the two, `"warp"` takes the neighbour's.
        offset: which neighbour: -1 is the frame before, 1 the frame after, 6 the sixth after.

    Raises:
        InputError: an argument out of its range.

    Source: UnifiedVideoDA (arXiv 2402.00868), where the labels come from an averaged teacher model
    that is trained along; here they come from the frozen model.
    """

    def __init__(self, strategy: Strategy = "consistency", *, offset: int = -1) -> None:
        check_choice("strategy", strategy, get_args(Strategy))
        check_offset(offset)
        self.strategy = strategy
        self.offset = offset

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        """Refine the labels of every frame.

        Raises:
            PropagationError: the propagator raised, broke its contract, or cannot warp dense maps.
        """
        labels: list[Tensor] = []
        total = len(warm_up.frames)
        with torch.no_grad(), open_warper(propagator, warm_up.video) as session:
            for t in range(total):
                own = warm_up.predictions[t].labels.to(torch.int16)
                near = t + self.offset
                labels.append(self._refine(session, warm_up, own, t) if 0 <= near < total else own)
                progress(Progress("targets", t + 1, total))
        learnable = any(bool((frame != IGNORE).any()) for frame in labels)
        source = f"labels refined by {self.strategy} with the frame {_side(self.offset)}"
        if not learnable:
            source += ", which kept none"
        return Targets(labels, [], {}, learnable, source)

    def _refine(
        self, session: DenseWarper, warm_up: WarmUp, own: Tensor, t: int
    ) -> Integer[Tensor, "H W"]:
        near = t + self.offset
        warped, valid = warped_labels(session, warm_up.predictions[near].labels, near, t)
        warped = torch.where(valid, warped, IGNORE).to(own.dtype)
        if self.strategy == "warp":
            return warped
        if self.strategy == "consistency":
            return consistent_labels(own, warped, ignore_index=IGNORE)
        confidence = _confidence(warm_up, near)
        moved, _ = warp_along(session, confidence.unsqueeze(0), near, t)
        return most_confident_labels(
            own, _confidence(warm_up, t), warped, moved[0], ignore_index=IGNORE
        )


def check_offset(offset: int) -> None:
    """Raise `InputError` unless another frame is meant."""
    if not isinstance(offset, int) or isinstance(offset, bool) or offset == 0:
        raise InputError(
            f"offset is {offset!r}; expected an int other than 0, such as -1 (the frame before) or "
            "1 (the frame after)."
        )


def _confidence(warm_up: WarmUp, t: int) -> Float[Tensor, "H W"]:
    """The largest class probability, on the CPU, where the labels are."""
    return warm_up.logits(t).softmax(dim=1).amax(dim=1)[0].cpu()


def _side(offset: int) -> str:
    side = "before" if offset < 0 else "after"
    return side if abs(offset) == 1 else f"{abs(offset)} {side}"


def _check_shapes(**maps: Tensor) -> None:
    if len({tuple(value.shape) for value in maps.values()}) > 1:
        shown = ", ".join(f"{name} {tuple(value.shape)}" for name, value in maps.items())
        raise ShapeError(f"the maps differ in shape: {shown}; expected one (H, W).")
