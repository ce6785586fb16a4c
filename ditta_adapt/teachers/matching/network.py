"""What of matching can be trained: how keys are compared, what is remembered, how it is read."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ditta_adapt.teachers.matching.affinity import nearest
from ditta_adapt.teachers.soft_aggregation import aggregation_logits

NEARNESS = 1.0
"""See `nearest`."""
_LEAST = 1e-6


class MatchingNetwork(nn.Module):
    r"""Matching as a function with few weights; untrained it is matching without any.

    .. math::
        q = A\, x, \qquad v_k = m_k + E(m_k, \textstyle\sum_{l \ne k} m_l), \qquad
        p_k = \sigma(logit(\textstyle\sum_y W v_k) + D(\textstyle\sum_y W v_k, x))

    with keys `x`, weights `W` of `nearest` on `q`, and then soft aggregation. `A` begins as the
    identity, the convolutions `E` and `D` at 0.

    Args:
        channels: of the keys.
        temperature: where that of `nearest` begins.
    """

    def __init__(self, channels: int, temperature: float) -> None:
        super().__init__()
        self.key = nn.Parameter(torch.eye(channels))
        self.log_temperature = nn.Parameter(torch.tensor(temperature).log())
        self.value = nn.Parameter(torch.zeros(1, 2, 3, 3))
        self.decoder = nn.Parameter(torch.zeros(1, 1 + channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(1))

    def encode_memory(
        self, features: Float[Tensor, "D h w"], masks: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K h w"]:
        """See `MaskNetwork`."""
        others = masks.sum(dim=0, keepdim=True) - masks
        more: Tensor = F.conv2d(torch.stack([masks, others], dim=1), self.value, padding=1)[:, 0]
        return masks + more

    def read(
        self,
        features: Float[Tensor, "D h w"],
        memory: Sequence[tuple[Float[Tensor, "D h w"], Float[Tensor, "K h w"]]],
        *,
        reach: Sequence[int],
        top_k: int,
        known: Bool[Tensor, "T K"] | None = None,
    ) -> Float[Tensor, "K1 h w"]:
        """See `MaskNetwork`.

        Args:
            features: keys of the frame, see `MatchingVideo.keys`.
            memory: keys and values of frames.
            reach: see `nearest`.
            top_k: see `nearest`.
            known: which objects had begun in which frame; of others it says nothing.
        """
        values = torch.stack([value for _, value in memory])
        found = nearest(
            self.projected(features),
            torch.stack([self.projected(keys) for keys, _ in memory]),
            reach,
            top_k=top_k,
            temperature=self.log_temperature.exp(),
            nearness=NEARNESS,
        )
        masks = found.read(values)
        if known is not None and not bool(known.all()):
            shown = known.to(masks)[:, :, None, None].expand(-1, -1, *masks.shape[1:])
            masks = masks / found.read(shown).clamp(min=torch.finfo(masks.dtype).tiny)
        return self.decode_value(features, masks)

    def decode_value(
        self, features: Float[Tensor, "D h w"], value: Float[Tensor, "K h w"]
    ) -> Float[Tensor, "K1 h w"]:
        """See `DecodesValues`."""
        around = features.expand(len(value), *features.shape)
        shown = torch.cat([value[:, None], around], dim=1)
        more = F.conv2d(shown, self.decoder, self.bias, padding=1)[:, 0]
        return aggregation_logits((value.clamp(_LEAST, 1 - _LEAST).logit() + more).sigmoid())

    def projected(self, features: Float[Tensor, "D h w"]) -> Float[Tensor, "D h w"]:
        """Keys as they are compared: `q = A x`."""
        return torch.einsum("kd,dhw->khw", self.key, features)
