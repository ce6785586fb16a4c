"""What sessions on one video share: the keys of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.flow.lookup import lookup
from ditta_adapt.teachers.matching.affinity import nearest
from ditta_adapt.teachers.matching.features import FeatureNetwork
from ditta_adapt.teachers.matching.keys import frame_keys, principal_axes
from ditta_adapt.teachers.matching.network import NEARNESS, MatchingNetwork
from ditta_adapt.teachers.shared_video import SharedVideo

_KEPT = 32
"""Frames whose keys are kept: those of a warm-up, which is gone through in both directions."""
_AXES = 128
"""That keys are compared along."""
_TOLERANCE = 1.0
"""Of the forward-backward check, in cells."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, and the axes along which it sees keys.

    Attributes:
        axes: `(D, K)`, see `principal_axes`.
        network: of `K` channels.
    """

    axes: Float[Tensor, "D K"]
    network: MatchingNetwork


class MatchingVideo(SharedVideo):
    """Keys of the frames of a video, and where their cells were in a neighbouring frame.

    Args:
        frames: `(H, W, 3)` uint8 RGB each.
        features: says what places look like.
        cells: of the longer side of the grid.
        top_k: see `nearest`.
        temperature: see `MatchingNetwork`.
        trained: what was trained before; its axes and weights hold here, too.

    Attributes:
        grid: `(h, w)`.
    """

    def __init__(
        self,
        frames: Sequence[Frame],
        features: FeatureNetwork,
        *,
        cells: int,
        top_k: int,
        temperature: float,
        trained: Trained | None = None,
    ) -> None:
        super().__init__(frames)
        self._features, self._top_k, self._temperature = features, top_k, temperature
        self._trained = trained
        scale = min(1.0, cells / max(self.size))
        self.grid = (max(round(self.size[0] * scale), 1), max(round(self.size[1] * scale), 1))
        self._keys: dict[int, Tensor] = {}
        self._first = self.oldest
        self._flow: tuple[tuple[int, int], Tensor] | None = None

    def keys(self, t: int) -> Float[Tensor, "D h w"]:
        """Keys of frame `t`, see `frame_keys`, along the `principal_axes` of the first frame."""
        if t not in self._keys:
            self._keys[t] = self.keys_of(self.frame(t), self.grid)
            kept = sorted(self._keys, key=lambda other: abs(other - t))[:_KEPT]
            self._keys = {other: self._keys[other] for other in kept if other >= self.oldest}
        return self._keys[t]

    @property
    def trained(self) -> Trained:
        """The axes of keys, by default those of the first frame, and the network on them."""
        if self._trained is None:
            # What was the first frame may be forgotten by now.
            first = self.frame(max(self._first, self.oldest))
            with torch.no_grad():
                keys = frame_keys(self._features(first), first, self.grid)
            axes = principal_axes(keys, _AXES)
            network = MatchingNetwork(axes.shape[1], self._temperature).to(axes)
            self._trained = Trained(axes, network)
        return self._trained

    @torch.no_grad()
    def keys_of(
        self, frame: UInt8[Tensor, "3 H W"], grid: tuple[int, int]
    ) -> Float[Tensor, "D h w"]:
        """Keys of any frame on any grid, along the axes of this video."""
        keys = frame_keys(self._features(frame), frame, grid)
        return torch.einsum("dhw,dk->khw", keys, self.trained.axes)

    def lookup(
        self, t: int, to: int, size: tuple[int, int]
    ) -> tuple[Float[Tensor, "h2 w2 2"], Bool[Tensor, "h2 w2"]]:
        """Where each cell of frame `to` was in its neighbour `t`, and whether to trust it.

        The mean place of its matches, checked forward and backward; see `flow.lookup`.
        """
        first, second = min(t, to), max(t, to)
        if self._flow is None or self._flow[0] != (first, second):
            both = self._motion(second, first), self._motion(first, second)
            self._flow = (first, second), torch.stack(both)
        from_second, from_first = self._flow[1].unbind()
        back, forth = (from_second, from_first) if to > t else (from_first, from_second)
        return lookup(back, forth, size, tolerance=_TOLERANCE)

    def _motion(self, of: int, where: int) -> Float[Tensor, "2 h w"]:
        """From each cell of one frame to its matches in another one, `(x, y)` in cells."""
        network = self.trained.network
        with torch.no_grad():
            found = nearest(
                network.projected(self.keys(of)),
                network.projected(self.keys(where))[None],
                [round(0.1 * max(self.grid))],
                top_k=self._top_k,
                temperature=network.log_temperature.exp(),
                nearness=NEARNESS,
            )
        height, width = self.grid
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        here = torch.stack([y, x]).to(found.weights)
        return (found.places() - here).flip(0)
