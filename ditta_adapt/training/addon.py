"""The temporal add-on: second logits for a frame, read from the frame before it (Eq. 1)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ditta_adapt.attention import local_window_attention
from ditta_adapt.models.caller_state import OWN_LAYER

# Start of the learned temperature of the residual form. Cosine similarities of neighbouring cells
# differ by a few hundredths; 10 still averaged over most of the window and blurred outlines.
_START_TEMPERATURE = 50.0


class TemporalAddon(nn.Module):
    r"""Local cross-attention from frame `t` to frame `t-1`.

    .. math:: A_t(x) = \sum_{y \in N(x)} \mathrm{softmax}_y(s\, q(F_t)(x) \cdot k(F_{t-1})(y))\,
              Z_{t-1}(y)

    Two forms of `q` and `k`, each per pixel and with separate weights:

    * `"paper"`: `Linear(D, D) -> ReLU -> Linear(D, D)` from PyTorch's default start, `s = 1`.
    * `"residual"`: the features plus that network, whose last layer starts at zero, then scaled to
      unit length; `s` is learned and starts at 50. So the add-on starts as attention by cosine
      similarity of the features themselves, which follows the image before any training.

    Args:
        feature_dim: `D`.
        radius: radius of the window `N`, in cells; none for the whole map.
        residual: which form.

    Source: paper, Eq. 1 (`"paper"`); the residual form is ours.
    """

    def __init__(self, feature_dim: int, *, radius: int | None = 5, residual: bool = True) -> None:
        super().__init__()
        self.radius = radius
        self.residual = residual
        self.query = _pixel_mlp(feature_dim)
        self.key = _pixel_mlp(feature_dim)
        if residual:
            self.log_temperature = nn.Parameter(torch.tensor(_START_TEMPERATURE, **OWN_LAYER).log())
            for branch in (self.query, self.key):
                last = branch[-1]
                assert isinstance(last, nn.Linear)
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)

    def forward(
        self,
        features: Float[Tensor, "B D h w"],
        previous_features: Float[Tensor, "B D h w"],
        previous_logits: Float[Tensor, "B C h2 w2"],
    ) -> Float[Tensor, "B C h w"]:
        """Second logits `A_t` for the frame of `features`, on the same grid.

        Logits of a model that resizes them itself are brought to the grid of its features first.
        """
        query = self._embed(self.query, features)
        key = self._embed(self.key, previous_features)
        if self.residual:
            query = query * self.log_temperature.exp()
        logits = previous_logits.float()
        if logits.shape[2:] != features.shape[2:]:
            logits = F.interpolate(logits, features.shape[2:], mode="bilinear", antialias=True)
        return local_window_attention(query, key, logits, radius=self.radius)

    def _embed(
        self, branch: nn.Sequential, features: Float[Tensor, "B D h w"]
    ) -> Float[Tensor, "B D h w"]:
        pixels = features.float().movedim(1, -1)
        embedded: Tensor = branch(pixels)
        if self.residual:
            embedded = F.normalize(pixels + embedded, dim=-1)
        return embedded.movedim(-1, 1)


class ProjectionHead(nn.Sequential):
    """Features for the contrastive loss: three 1 x 1 convolutions `D -> D` with ReLU between."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__(
            nn.Conv2d(feature_dim, feature_dim, 1, **OWN_LAYER),
            nn.ReLU(),
            nn.Conv2d(feature_dim, feature_dim, 1, **OWN_LAYER),
            nn.ReLU(),
            nn.Conv2d(feature_dim, feature_dim, 1, **OWN_LAYER),
        )


def _pixel_mlp(dim: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(dim, dim, **OWN_LAYER), nn.ReLU(), nn.Linear(dim, dim, **OWN_LAYER)
    )
