"""Features that must not go far from where they came from."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor
from torch.utils import _pytree as pytree

from ditta_adapt.config import FeatureDistance
from ditta_adapt.errors import SegmenterError
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.segmenter import Encoded, Segmenter

_MOSTLY = 0.75
"""Share of a cell that things must cover for it to count."""


def deepest_map(encoded: Encoded) -> Float[Tensor, "B D h w"]:
    """The coarsest of the maps that an encoder gives, the last of these.

    Raises:
        SegmenterError: it gives none.
    """
    maps = [
        leaf
        for leaf in pytree.tree_leaves(encoded)
        if isinstance(leaf, Tensor) and leaf.ndim == 4 and leaf.is_floating_point()
    ]
    if not maps:
        raise SegmenterError(
            "the encoder gives no map (B, D, h, w), of which a distance could be taken; leave "
            "distance out."
        )
    coarsest = min(each.shape[2] * each.shape[3] for each in maps)
    return next(each for each in reversed(maps) if each.shape[2] * each.shape[3] == coarsest)


def feature_distance(
    own: Float[Tensor, "1 D h w"],
    reference: Float[Tensor, "1 D h w"],
    counted: Bool[Tensor, "H W"] | None = None,
) -> Float[Tensor, ""]:
    r"""How far features have gone from those of a reference network.

    .. math:: L = \frac{1}{|P|} \sum_{x \in P} \lVert F(x) - F_{ref}(x) \rVert_2

    Args:
        own: `F`, of a frame.
        reference: `F_{ref}`, of the same one; without gradients.
        counted: pixels of the frame that count; `P` are the cells of which they cover three
            quarters, and `L` is 0 where there is none. None: all cells.

    Source: Hoyer et al., DAFormer, CVPR 2022, there to the features of ImageNet, of thing classes.
    """
    distance = (own - reference).square().sum(dim=1).clamp(min=1e-12).sqrt()[0]
    if counted is None:
        return distance.mean()
    share = F.interpolate(counted[None, None].to(distance), distance.shape, mode="area")[0, 0]
    cells = (share >= _MOSTLY).to(distance)
    return (distance * cells).sum() / cells.sum().clamp(min=1)


class DistanceTerm:
    """The term of a frame in the loss.

    Args:
        reference: whose encoder is compared with; frozen.
        options: of the term.
    """

    def __init__(self, reference: Segmenter, options: FeatureDistance) -> None:
        self._reference, self._options = reference, options

    def __call__(
        self,
        frame: UInt8[Tensor, "3 H W"],
        encoded: Encoded,
        labels: Int64[Tensor, "H W"] | None,
    ) -> Float[Tensor, ""]:
        """Weighted.

        Args:
            frame: RGB, which the reference is shown as it wants.
            encoded: of it, by the encoder that is trained.
            labels: of the frame, which say where things are; none where all of it counts.

        Raises:
            SegmenterError: one of the two encoders gives no map, or maps that differ in shape.
        """
        # With `WithDetail`, those of the whole frame, which come first.
        reference = deepest_map(encode_frame(self._reference, frame))[:1].float()
        own = deepest_map(encoded)[:1].float()
        if own.shape != reference.shape:
            raise SegmenterError(
                f"the encoder's deepest map is {tuple(own.shape)} and the reference's "
                f"{tuple(reference.shape)}; expected the same."
            )
        counted = None
        if labels is not None and self._options.things:
            things = labels.new_tensor(self._options.things)
            counted = torch.isin(labels, things).to(own.device)
        return self._options.weight * feature_distance(own, reference, counted)
