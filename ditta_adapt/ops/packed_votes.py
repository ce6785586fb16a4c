"""Maps of votes, kept small."""

import zlib

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class PackedVotes:
    """Votes in 8 bits a class and compressed: almost all of them are 0.

    Args:
        votes: at least 0; each is kept to 1/510 of the largest.
    """

    def __init__(self, votes: Float[Tensor, "C H W"]) -> None:
        self._scale = max(float(votes.max()), 1e-12) / 255
        self._shape = votes.shape
        quantised = (votes / self._scale).round().to(torch.uint8)
        self._data = zlib.compress(quantised.cpu().numpy().tobytes(), level=1)

    def unpack(self) -> Float[Tensor, "C H W"]:
        """The votes, float32 on the CPU."""
        flat = np.frombuffer(zlib.decompress(self._data), dtype=np.uint8)
        return torch.from_numpy(flat.astype(np.float32)).view(self._shape) * self._scale
