"""A second look: the frozen model on the same frame at other sizes, its opinions averaged."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, Integer, UInt8
from torch import Tensor

from ditta_adapt.errors import DittaError, SegmenterError
from ditta_adapt.models.forward import decode, encode, preprocess_frame
from ditta_adapt.models.preprocessing import resize_frames
from ditta_adapt.models.segmenter import Segmenter, all_finite, check_finite, check_form
from ditta_adapt.models.shown_at import shown_at
from ditta_adapt.ops.later import answers_late
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.ops.soft_votes import soft_votes

Window = tuple[float, float, float, float]
"""Top, left, height and width of a part of a frame, as shares of it."""

WHOLE: Window = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Views:
    """A frame as the model sees it at several sizes, each alone.

    Attributes:
        usual: `(h, w)` labels at the usual one.
        others: likewise by scale, without those that the model did not take.
        confidences: mean over cells of the largest probability, in [0, 1], by scale; 1 is the usual
            one.
    """

    usual: Integer[Tensor, "h w"]
    others: Mapping[float, Integer[Tensor, "h w"]]
    confidences: Mapping[float, float]

    def to(self, dtype: torch.dtype, device: torch.device | str | None = None) -> "Views":
        """Labels of another type, and on another device if one is given."""
        others = {scale: each.to(device, dtype) for scale, each in self.others.items()}
        return Views(self.usual.to(device, dtype), others, self.confidences)


@dataclass(frozen=True, slots=True)
class Look:
    """What the frozen model says of a frame after a second look.

    Attributes:
        logits: logarithm of the mean probabilities, `(1, C, h, w)` float32 on the grid of the
            model's usual logits; none where the model could be shown the frame at no other size.
        labels: `(h, w)` of the other sizes alone, without the usual one: the opinion of a judge,
            who is not to hear the one that others are compared with; none likewise.
        passes: what it cost, in passes of the model at its usual size.
        sizes: at how many sizes the frame was seen, the usual one among them.
        missing: scales that the model did not take.
        views: of each size alone, if asked for.
    """

    logits: Float[Tensor, "1 C h w"] | None
    labels: Int64[Tensor, "h w"] | None
    passes: float
    sizes: int
    missing: tuple[float, ...] = ()
    views: Views | None = None

    def votes(self) -> Float[Tensor, "C h w"]:
        """What it adds to votes: one for each size; see `soft_votes`."""
        assert self.logits is not None
        return self.sizes * soft_votes(self.logits)


def second_look(
    segmenter: Segmenter,
    frame: UInt8[Tensor, "3 H W"],
    usual: Float[Tensor, "1 C h w"],
    scales: Sequence[float],
    *,
    mirror: bool = False,
    views: bool = False,
) -> Look:
    r"""Show a frame to the frozen model again, smaller and larger, and average what it says.

    .. math:: \bar p = \frac{1}{|S|} \sum_{s \in S} softmax(Z_s)

    over the usual size and the scales; with `mirror` every size counts a second time, mirrored. A
    model finds small things larger and knows large things smaller; scales on both sides of 1 leave
    no preference for either.

    The model is shown the frame resized, by its own `preprocess(frames, scale=...)` if it has that
    argument. One whose images are of one size, whatever the frame's, is shown overlapping windows
    in place of an enlarged frame. Scales that it does not take, or for which memory does not
    suffice, are left out.

    Args:
        segmenter: the image model with its pre-trained weights.
        frame: RGB.
        usual: its logits on the frame at its usual size.
        scales: how many times as large as usual, beside 1.
        mirror: whether to look at the mirrored frame too.
        views: whether to keep what each scale says alone, and how surely.
    """
    plain, passes = usual.float().softmax(dim=1), 0.0
    own, others = [plain], list[Tensor]()
    others_alone: dict[float, Tensor] = {}
    confidences = {1.0: _confidence(plain)} if views else {}
    missing: list[float] = []
    with torch.no_grad():
        images = preprocess_frame(segmenter, frame)
        for scale in (1.0, *scales) if mirror else scales:
            try:
                shown = [(images, WHOLE)] if scale == 1 else _views(segmenter, frame, images, scale)
                seen = [] if scale == 1 else [_seen(segmenter, shown, usual)]
                if mirror:
                    seen.append(_seen(segmenter, shown, usual, mirrored=True))
            except (DittaError, torch.OutOfMemoryError):
                missing.append(scale)
                continue
            (own if scale == 1 else others).extend(seen)
            if views and scale != 1:
                view = torch.stack(seen).mean(dim=0)
                others_alone[scale], confidences[scale] = view[0].argmax(dim=0), _confidence(view)
            pixels = sum(each.shape[2] * each.shape[3] for each, _ in shown)
            passes += len(seen) * pixels / (images.shape[2] * images.shape[3])
    sizes = 1 + len(scales) - len(set(missing) - {1.0})
    alone = Views(plain[0].argmax(dim=0), others_alone, confidences) if views else None
    if not others:
        return Look(None, None, passes, sizes, tuple(missing), alone)
    beside = torch.stack(others).mean(dim=0)
    mean = torch.stack([*own, *others]).mean(dim=0).clamp(min=torch.finfo(torch.float32).tiny)
    labels = beside[0].argmax(dim=0)
    return Look(mean.log(), labels, passes, sizes, tuple(missing), alone)


def _confidence(probabilities: Float[Tensor, "1 C h w"]) -> float:
    return float(probabilities.amax(dim=1).mean())


def _views(
    segmenter: Segmenter, frame: Tensor, usual: Tensor, scale: float
) -> list[tuple[Tensor, Window]]:
    """What the model is shown of a frame at another size: all of it, or windows.

    Raises:
        SegmenterError: it cannot be shown the frame at this size.
    """
    images = shown_at(segmenter, frame.unsqueeze(0), scale)
    if images.shape != usual.shape:
        return [(images, WHOLE)]
    if scale < 1:
        raise SegmenterError(f"a model of a fixed size cannot see a frame {scale} times as large.")
    count, side = math.ceil(scale), 1 / scale
    starts = [k * (1 - side) / (count - 1) for k in range(count)]
    windows = [(top, left, side, side) for top in starts for left in starts]
    return [(preprocess_frame(segmenter, _part(frame, window)), window) for window in windows]


def _seen(
    segmenter: Segmenter,
    views: Sequence[tuple[Tensor, Window]],
    usual: Tensor,
    *,
    mirrored: bool = False,
) -> Float[Tensor, "1 C h w"]:
    """Mean probabilities of some views, on the grid of the usual logits."""
    total = torch.zeros_like(usual, dtype=torch.float32)
    count = total.new_zeros(total.shape[2:])
    for images, window in views:
        top, bottom, left, right = _bounds(window, count.shape)
        shown = images.flip(3) if mirrored else images
        output = decode(segmenter, encode(segmenter, shown))
        check_form(output, segmenter.num_classes, segmenter.feature_dim)
        if not answers_late(output.logits):
            check_finite(output)
        logits = output.logits
        logits = logits.flip(3) if mirrored else logits
        part = resize_logits(logits, (bottom - top, right - left)).softmax(dim=1)
        total[:, :, top:bottom, left:right] += part
        count[top:bottom, left:right] += 1
    seen = total / count
    if answers_late(seen):
        # Checked without waiting: a size at which numbers are not finite says what the usual does.
        seen = torch.where(all_finite(seen), seen, usual.float().softmax(dim=1))
    return seen


def _part(frame: Tensor, window: Window) -> Tensor:
    """A window, as large as the frame was."""
    height, width = frame.shape[1:]
    top, bottom, left, right = _bounds(window, (height, width))
    part = frame[:, top:bottom, left:right].unsqueeze(0)
    return resize_frames(part, (height, width), "bilinear")[0]


def _bounds(window: Window, size: Sequence[int]) -> tuple[int, int, int, int]:
    """First row, row after the last, and the same of columns."""
    top, left, height, width = window
    rows, columns = size
    return (
        math.floor(top * rows),
        min(math.ceil((top + height) * rows), rows),
        math.floor(left * columns),
        min(math.ceil((left + width) * columns), columns),
    )
