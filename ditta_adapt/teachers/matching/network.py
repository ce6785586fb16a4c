"""What of matching can be trained: how keys are compared."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ditta_adapt.teachers.matching.affinity import nearest
from ditta_adapt.teachers.soft_aggregation import aggregation_logits

NEARNESS = 1.0
"""See `nearest`."""


class MatchingNetwork(nn.Module):
    r"""Matching as a function with few weights; untrained it is matching without any.

    .. math:: q = A\, x, \qquad p_k = \textstyle\sum_y W m_k

    with keys `x`, weights `W` of `nearest` on `q`, soft masks `m_k`, and then soft aggregation.
    `A` begins as the identity. What is found of a mask is a mean of masks, so there is nothing that
    could be trained to give a mask back which was not found.

    Args:
        channels: of the keys.
        temperature: where that of `nearest` begins.
    """

    def __init__(self, channels: int, temperature: float) -> None:
        super().__init__()
        self.key = nn.Parameter(torch.eye(channels))
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())

    def read(
        self,
        keys: Float[Tensor, "D h w"],
        memory: Sequence[tuple[Float[Tensor, "D h w"], Float[Tensor, "K h w"]]],
        *,
        reach: Sequence[int],
        top_k: int,
        known: Bool[Tensor, "T K"] | None = None,
    ) -> Float[Tensor, "K1 h w"]:
        """Logits of the background and all objects of a frame.

        Args:
            keys: of the frame, see `MatchingVideo.keys`.
            memory: keys and soft masks of frames.
            reach: see `nearest`.
            top_k: see `nearest`.
            known: which objects had begun in which frame; of others it says nothing.
        """
        found = nearest(
            self.projected(keys),
            torch.stack([self.projected(each) for each, _ in memory]),
            reach,
            top_k=top_k,
            temperature=self.log_temperature.exp(),
            nearness=NEARNESS,
        )
        masks = found.read(torch.stack([mask for _, mask in memory]))
        if known is not None and not bool(known.all()):
            shown = known.to(masks)[:, :, None, None].expand(-1, -1, *masks.shape[1:])
            masks = masks / found.read(shown).clamp(min=torch.finfo(masks.dtype).tiny)
        return aggregation_logits(masks)

    def projected(self, keys: Float[Tensor, "D h w"]) -> Float[Tensor, "D h w"]:
        """Keys as they are compared: `q = A x`."""
        return torch.einsum("kd,dhw->khw", self.key, keys)
