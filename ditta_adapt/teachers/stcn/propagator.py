"""Opens sessions that find masks in the memory of a trained network."""

import copy
from collections.abc import Sequence
from pathlib import Path

import torch

from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame
from ditta_adapt.teachers.base_propagator import BasePropagator
from ditta_adapt.teachers.stcn.frame_images import network_size
from ditta_adapt.teachers.stcn.memory import StcnMemory
from ditta_adapt.teachers.stcn.network import SpaceTimeNetwork
from ditta_adapt.teachers.stcn.session import StcnSession
from ditta_adapt.teachers.stcn.training import TRAINING_SIDE, StcnInTraining
from ditta_adapt.teachers.stcn.video import StcnVideo
from ditta_adapt.teachers.stcn.weights import SHIPPED, load_network


class StcnPropagator(BasePropagator[StcnVideo, StcnSession]):
    """Follows objects by what a trained network remembers of them, all in one pass.

    Every frame is compared with the frames where objects began and every k-th one since, cell by
    cell; what is remembered of an object in cells that look alike is decoded to its mask. Unlike
    `MatchingPropagator`, which carries masks along frozen features, keys, values and decoder were
    trained together, and a video's first masks can train them further, see `adapt_propagator`.

    With no argument it has the package's own small weights (4.5 million, 9 MB), trained on
    generated clips alone. Objects start from the prompt's region, not from its point, and share
    the pixels of a frame. Frames are resized so that their sides are multiples of 16.

    Memory: of each of `most` frames, and of those in which objects began, 64 floats a cell of
    16 x 16 pixels, and 128 more an object. Two sessions on the same frames share their features,
    of which all frames are kept then: some 10 MB a frame of 480 x 854.

    Args:
        weights: `"stcn-small"`; a file that `examples/train_small_stcn` wrote; one with weights of
            STCN's authors, such as `stcn.pth`, 54 million of them; or a network, which is copied.
        device: where to run; CUDA if there is one.
        shorter_side: of a frame as the network sees it, at most, before it is rounded to a
            multiple of 16; 16 or more.
        every: which frames are remembered beside those where objects began. STCN takes every
            fifth; with 2 in place of 5 the shipped weights come from J .487 to .528 on ten
            generated clips of 24 frames.
        most: how many of these are remembered at most, 1 or more.
        top_k: how many remembered cells count for a cell.
        local: whether only cells count from which an object can have come: within .3 of the
            frame's shorter side, and .02 more for each frame that has gone by. Published networks
            look everywhere, and take what looks like the object for it.

    Raises:
        InputError: an argument out of range; a file that is not there or holds other weights.

    Source: Cheng et al., "Rethinking Space-Time Networks with Improved Memory Coverage", NeurIPS
    2021.
    """

    def __init__(
        self,
        weights: str | Path | SpaceTimeNetwork = SHIPPED,
        *,
        device: torch.device | str | None = None,
        shorter_side: int = 480,
        every: int = 2,
        most: int = 12,
        top_k: int = 20,
        local: bool = True,
    ) -> None:
        super().__init__()
        numbers = (shorter_side, every, most, top_k)
        whole = all(isinstance(each, int) and not isinstance(each, bool) for each in numbers)
        if not whole or shorter_side < 16 or min(every, most, top_k) < 1:
            raise InputError(
                f"shorter_side is {shorter_side!r}, every {every!r}, most {most!r} and top_k "
                f"{top_k!r}; expected integers of at least 16, 1, 1 and 1."
            )
        if isinstance(weights, SpaceTimeNetwork):
            network = copy.deepcopy(weights)
        else:
            network = load_network(weights)
        where = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.network = network.to(where).eval().requires_grad_(False)
        self.shorter_side, self.every, self.most, self.top_k = shorter_side, every, most, top_k
        self.local = local

    @classmethod
    def from_pretrained(cls, weights: str | Path) -> "StcnPropagator":
        """One with the weights of a file, or those of a name."""
        return cls(weights)

    def training_copy(self, frames: Sequence[Frame]) -> StcnInTraining:
        """See `TrainablePropagator`."""
        size = self._watch(frames).size
        side = min(self.shorter_side, TRAINING_SIDE)
        return StcnInTraining(self.network, network_size(size, side))

    def trained(self, network: StcnInTraining) -> "StcnPropagator":
        """See `TrainablePropagator`."""
        return StcnPropagator(
            network.network,
            device=self.network.mask.weight.device,
            shorter_side=self.shorter_side,
            every=self.every,
            most=self.most,
            top_k=self.top_k,
            local=self.local,
        )

    def _watch(self, frames: Sequence[Frame]) -> StcnVideo:
        return StcnVideo(frames, self.network, self.shorter_side)

    def _session(self, video: StcnVideo) -> StcnSession:
        memory = StcnMemory(every=self.every, most=self.most, top_k=self.top_k, local=self.local)
        return StcnSession(video, memory)
