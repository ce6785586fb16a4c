"""A segmenter at two resolutions: the whole frame, and enlarged parts where they know more."""

import math
from collections.abc import Mapping
from typing import TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt.models.around import Around
from ditta_adapt.models.caller_state import OWN_LAYER, seeded
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.preprocessing import resize_frames
from ditta_adapt.models.segmenter import Encoded, Segmenter, SegmenterOutput
from ditta_adapt.models.shown_at import shown_at

S = TypeVar("S", bound=Segmenter)

SIDE = 0.6
"""Of a part, as a share of the frame's: four of them overlap by a fifth of the frame."""
_STARTS = (0.0, 1 - SIDE)
_PARTS = tuple((top, left) for top in _STARTS for left in _STARTS)
_HIDDEN = 32


FIRST_SHARE = 0.05
"""How much the parts are listened to before anything is learned.

HRDA begins with one half, in training a network from the start. A finished one has learned to look
at whole frames, so that parts enter as far as learning finds that they know more.
"""


class ScaleAttention(nn.Module):
    """How much the parts are listened to, by class and place; `FIRST_SHARE` of all at first.

    Args:
        feature_dim: channels of the whole frame's features.
        num_classes: of the model.
    """

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(feature_dim, _HIDDEN, 1, **OWN_LAYER)
        self.share = nn.Conv2d(_HIDDEN, num_classes, 1, **OWN_LAYER)
        nn.init.zeros_(self.share.weight)
        first = math.log(FIRST_SHARE / (1 - FIRST_SHARE))
        nn.init.constant_(self.share.bias, first)  # type: ignore[arg-type]

    def forward(self, features: Float[Tensor, "B D h w"]) -> Float[Tensor, "B C h w"]:
        """Shares in [0, 1]."""
        own = features.to(self.hidden.weight.dtype)
        shares: Tensor = self.share(F.relu(self.hidden(own))).sigmoid()
        return shares.to(features.dtype)


class WithDetail(Around[S]):
    r"""Another segmenter that sees the frame, and four overlapping parts of it enlarged.

    .. math:: Z = (1 - a) \odot \zeta(Z_{whole}) + a \odot Z_{parts}, \qquad
        a = \sigma(f^A(F_{whole}))

    `Z_{parts}` are the logits of the parts put together, their mean where parts overlap, `\zeta`
    resizes to their grid, and `a` is learned (`ScaleAttention`). Features are fused alike, by the
    mean of `a` over classes. Everything takes five times as long.

    What `preprocess` returns are the five images of a frame, one above another.

    Args:
        segmenter: takes batches of frames.

    Attributes:
        attention: `f^A`.

    Source: HRDA (Hoyer et al., ECCV 2022), with all parts in training, too, as in inference there.
    """

    def __init__(self, segmenter: S) -> None:
        super().__init__(segmenter)
        with seeded(0, torch.device("cpu")):
            attention = ScaleAttention(segmenter.feature_dim, segmenter.num_classes)
        self.attention = attention.to(device_of(segmenter))

    def preprocess(
        self, frames: UInt8[Tensor, "B 3 H W"], *, scale: float = 1.0
    ) -> Float[Tensor, "B 3 H2 W2"]:
        """The images of the frame and of its parts, each as large as the frame was."""
        height, width = frames.shape[2:]
        shown = [frames]
        for top, left in _PARTS:
            rows, columns = _span(top, height), _span(left, width)
            shown.append(resize_frames(frames[:, :, rows, columns], (height, width), "bilinear"))
        return torch.cat([shown_at(self.segmenter, each, scale) for each in shown], dim=2)

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> Encoded:
        """As the segmenter, of all five."""
        batch, channels, height, width = images.shape
        count = 1 + len(_PARTS)
        apart = images.reshape(batch, channels, count, height // count, width).transpose(1, 2)
        return self.segmenter.encode(apart.reshape(batch * count, channels, -1, width))

    def decode(self, encoded: Encoded) -> SegmenterOutput:
        """See the class."""
        output = self.segmenter.decode(encoded)
        count = 1 + len(_PARTS)
        features, logits = (
            each.reshape(-1, count, *each.shape[1:]) for each in (output.features, output.logits)
        )
        shares = self.attention(features[:, 0])
        return SegmenterOutput(
            features=_fused(features, shares.mean(dim=1, keepdim=True)),
            logits=_fused(logits, shares),
        )

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """Those of the segmenter, and the attention."""
        # In brackets, as nobody names a module.
        return {**self.segmenter.adaptable_modules(), "(attention)": self.attention}


def _fused(maps: Tensor, shares: Tensor) -> Tensor:
    """Maps `(B, 5, C, h, w)` of the whole and the parts as one of `(B, C, h / SIDE, w / SIDE)`."""
    size = round(maps.shape[3] / SIDE), round(maps.shape[4] / SIDE)
    total = maps.new_zeros(len(maps), maps.shape[2], *size)
    count = maps.new_zeros(size)
    for number, (top, left) in enumerate(_PARTS, start=1):
        rows, columns = _span(top, size[0]), _span(left, size[1])
        part = _resized(maps[:, number], (rows.stop - rows.start, columns.stop - columns.start))
        # Not in place: gradients go through every part.
        around = (columns.start, size[1] - columns.stop, rows.start, size[0] - rows.stop)
        total = total + F.pad(part, around)
        count[rows, columns] += 1
    detail, whole = total / count, _resized(maps[:, 0], size)
    share = _resized(shares, size)
    return (1 - share) * whole + share * detail


def _span(start: float, length: int) -> slice:
    """Rows or columns of a part."""
    first = min(round(start * length), length - 1)
    return slice(first, length if start else max(round(SIDE * length), 1))


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    resized: Tensor = F.interpolate(maps, size, mode="bilinear", align_corners=False)
    return resized
