"""The space-time correspondence network: keys of frames, values of masks, and what reads them."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from ditta_adapt.teachers.stcn.blocks import (
    Attention,
    Basic,
    Bottleneck,
    Residual,
    blocks,
)
from ditta_adapt.teachers.stcn.shape import StcnShape

STRIDE = 16
"""Of keys and values."""


class FrameFeatures(NamedTuple):
    """What is needed of frames, whatever is asked of them.

    Attributes:
        key: what cells are compared by.
        thin: what the decoder sees of a frame beside what was remembered.
        deep: at stride 16.
        middle: at stride 8.
        fine: at stride 4.
    """

    key: Float[Tensor, "B C h w"]
    thin: Float[Tensor, "B V h w"]
    deep: Float[Tensor, "B D h w"]
    middle: Float[Tensor, "B E h2 w2"]
    fine: Float[Tensor, "B F h4 w4"]

    def of(self, frames: Int64[Tensor, " N"]) -> "FrameFeatures":
        """Of some of the frames, as often as they are named."""
        return FrameFeatures(*(each[frames] for each in self))

    def times(self, count: int) -> "FrameFeatures":
        """Of a single frame, as often as this, in no memory of its own."""
        return FrameFeatures(*(each.expand(count, -1, -1, -1) for each in self))


class Encoder(nn.Module):
    """A residual network to stride 16.

    Args:
        channels: of what it sees.
        block: `Basic` or `Bottleneck`.
        widths: after the stem, at strides 4, 8 and 16.
        depths: blocks at each of the three.
    """

    def __init__(
        self,
        channels: int,
        block: type[Basic] | type[Bottleneck],
        widths: tuple[int, int, int, int],
        depths: tuple[int, int, int],
    ) -> None:
        super().__init__()
        stem, fine, middle, deep = widths
        self.conv1 = nn.Conv2d(channels, stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.layer1 = blocks(block, stem, fine, depths[0], 1)
        self.layer2 = blocks(block, fine, middle, depths[1], 2)
        self.layer3 = blocks(block, middle, deep, depths[2], 2)

    def forward(self, x: Float[Tensor, "B C H W"]) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of strides 4, 8 and 16."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        fine = self.layer1(x)
        middle = self.layer2(fine)
        return fine, middle, self.layer3(middle)


class Upsampling(nn.Module):
    """Twice the resolution, with finer features of the frame added."""

    def __init__(self, skip: int, inputs: int, width: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(skip, inputs, 3, padding=1)
        self.out = Residual(inputs, width)

    def forward(
        self, skip: Float[Tensor, "N E h2 w2"], x: Float[Tensor, "N C h w"]
    ) -> Float[Tensor, "N D h2 w2"]:
        """At the resolution of `skip`."""
        larger = F.interpolate(x, skip.shape[2:], mode="bilinear", align_corners=False)
        result: Tensor = self.out(self.skip(skip) + larger)
        return result


class SpaceTimeNetwork(nn.Module):
    r"""What STCN is: one key a cell of a frame, one value a cell and object, and a decoder.

    Batches may hold frames of several videos, and objects of several frames; who belongs to whom
    says the caller by indexing.

    Args:
        shape: of its parts.

    Source: Cheng et al., "Rethinking Space-Time Networks with Improved Memory Coverage", NeurIPS
    2021.
    """

    def __init__(self, shape: StcnShape) -> None:
        super().__init__()
        self.shape = shape
        fine, middle, deep = shape.key_widths[1:]
        block = Basic if shape.block == "basic" else Bottleneck
        self.keys = Encoder(3, block, shape.key_widths, shape.key_depths)
        # Of an image, the object's mask, and the masks of all others together.
        self.values = Encoder(5, Basic, shape.value_widths, shape.value_depths)
        self.key = nn.Conv2d(deep, shape.key, 3, padding=1)
        self.thin = nn.Conv2d(deep, shape.value, 3, padding=1)
        self.fuse_in = Residual(shape.value_widths[3] + deep, shape.value)
        self.fuse_attention = Attention(shape.value)
        self.fuse_out = Residual(shape.value, shape.value)
        self.compress = Residual(2 * shape.value, shape.value)
        self.to_middle = Upsampling(middle, shape.value, shape.decoder)
        self.to_fine = Upsampling(fine, shape.decoder, shape.decoder)
        self.mask = nn.Conv2d(shape.decoder, 1, 3, padding=1)
        nn.init.orthogonal_(self.key.weight)
        nn.init.zeros_(self.key.bias)  # type: ignore[arg-type]

    def encode(self, images: Float[Tensor, "B 3 H W"]) -> FrameFeatures:
        """Features of images, normalised as ImageNet's; their sides are multiples of 16."""
        fine, middle, deep = self.keys(images)
        return FrameFeatures(self.key(deep), self.thin(deep), deep, middle, fine)

    def remember(
        self,
        images: Float[Tensor, "N 3 H W"],
        deep: Float[Tensor, "N D h w"],
        masks: Float[Tensor, "N H W"],
        others: Float[Tensor, "N H W"],
    ) -> Float[Tensor, "N V h w"]:
        """Values of objects, each with the image of its frame.

        Args:
            images: as `encode` gets them.
            deep: see `FrameFeatures`.
            masks: of the objects, soft, in [0, 1].
            others: the sum of all other masks in the same frame.
        """
        shown = torch.cat([images, masks[:, None], others[:, None]], dim=1)
        found = self.fuse_in(torch.cat([self.values(shown)[2], deep], dim=1))
        result: Tensor = self.fuse_out(found + self.fuse_attention(found))
        return result

    def decode(
        self, found: Float[Tensor, "N V h w"], features: FrameFeatures
    ) -> Float[Tensor, "N H W"]:
        """Logits of objects, each on its own, from what was found of them in memory.

        Args:
            found: values, see `read`.
            features: of the objects' frames.
        """
        x = self.compress(torch.cat([found, features.thin], dim=1))
        x = self.to_fine(features.fine, self.to_middle(features.middle, x))
        coarse: Tensor = self.mask(F.relu(x))
        return F.interpolate(coarse, scale_factor=4, mode="bilinear", align_corners=False)[:, 0]


def read(
    query: Float[Tensor, "B C h w"],
    keys: Float[Tensor, "B C T h w"],
    values: Float[Tensor, "B V T h w"],
    *,
    top_k: int | None = None,
    reach: Sequence[float] | None = None,
) -> Float[Tensor, "B V h w"]:
    r"""Values of the remembered cells whose keys are nearest, weighted.

    .. math:: S(x, y) = -\frac{|q(x) - k(y)|^2}{\sqrt C}, \qquad
        v(x) = \sum_y softmax_{y \in top(x)} S(x, y)\; v(y)

    `top(x)` are the most similar of those within reach, `|x - y| <= r_t` in frame `t`.

    Args:
        query: `q`, keys of the frames that are asked about.
        keys: `k`, of `T >= 1` remembered frames each.
        values: `v`, in the same places.
        top_k: how many of the nearest count; all of them with none.
        reach: `r_t >= 0` of each remembered frame, in cells; endless with none.

    Source: Cheng et al., NeurIPS 2021, negative squared distance; top-k: Cheng et al., "Modular
    Interactive Video Object Segmentation", CVPR 2021.
    """
    known, asked, remembered = keys.flatten(2), query.flatten(2), values.flatten(2)
    # The square of the query is the same for all, so the softmax does without it.
    similarity = 2 * asked.transpose(1, 2) @ known - known.square().sum(dim=1, keepdim=True)
    similarity = similarity / query.shape[1] ** 0.5
    if reach is not None:
        away = _distances(query.shape[2], query.shape[3], query.device)
        far = torch.cat([away > radius for radius in reach], dim=1)
        similarity = similarity.masked_fill(far, float("-inf"))
    if top_k is not None and top_k < similarity.shape[2]:
        best, cells = similarity.topk(top_k, dim=2)
        # Zeros in all other places: reading is then one product of matrices.
        weights = torch.zeros_like(similarity).scatter_(2, cells, best.softmax(dim=2))
    else:
        weights = similarity.softmax(dim=2)
    found: Tensor = remembered @ weights.transpose(1, 2)
    return found.reshape(*found.shape[:2], *query.shape[2:])


def _distances(height: int, width: int, device: torch.device) -> Float[Tensor, "n n"]:
    """Between all cells of a grid, row by row."""
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    places = torch.cartesian_prod(rows, columns).float()
    # By products of matrices, which is faster, a cell would not be at distance 0 from itself.
    return torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")


def others_of(masks: Float[Tensor, "K H W"]) -> Float[Tensor, "K H W"]:
    """For each object, the sum of the masks of all others in its frame."""
    return masks.sum(dim=0, keepdim=True) - masks
