"""Opens sessions of Cutie, with a network of the `rf-cutie` package."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ditta_adapt import Frame, InputError
from ditta_adapt.adapters.cutie.loading import check_network, forget_places, load_network
from ditta_adapt.adapters.cutie.session import CutieSession
from ditta_adapt.adapters.cutie.training import CutieInTraining
from ditta_adapt.adapters.cutie.video import CutieVideo, network_size
from ditta_adapt.teachers import BasePropagator


class CutiePropagator(BasePropagator[CutieVideo, CutieSession]):
    """Follows objects from their regions, all together, with `CUTIE` of rf-cutie 1.

    With no argument it fetches the authors' base model, 140 MB, when it is first used. Needs no
    torchvision. Frames are resized so that their sides are multiples of 16; with sides that are, no
    longer than asked, it says what the package's own `InferenceCore` says. The session shows the
    features that it remembers (`FeatureSource`). Can be trained on a video, see `adapt_propagator`.

    Memory: the frame where objects began, the last four of every fifth frame, and one state an
    object; for every call that started objects.

    Args:
        network: a `CUTIE` in eval mode; used as it is, and moved only if `device` is given.
        checkpoint: file with weights of the authors' base or small model.
        device: where to run; CUDA if there is one, unless a network is given.
        shorter_side: of a frame as the network sees it, at most; 16 or more.

    Raises:
        InputError: arguments that do not go together or are out of range, no `CUTIE`, or one in
            training mode or half precision; or, when it is first opened, a file that holds no
            weights of Cutie.
        MissingDependencyError: when it is first opened, rf-cutie is not installed.
        PropagationError: when it is first opened, the authors' weights cannot be fetched.

    Source: Cheng et al., "Putting the Object Back into Video Object Segmentation", CVPR 2024.
    """

    def __init__(
        self,
        network: Any = None,
        *,
        checkpoint: str | Path | None = None,
        device: torch.device | str | None = None,
        shorter_side: int = 480,
    ) -> None:
        super().__init__()
        if network is not None and checkpoint is not None:
            raise InputError("give one of these only: network, checkpoint.")
        if shorter_side < 16:
            raise InputError(f"shorter_side is {shorter_side}; expected at least 16.")
        if network is not None:
            check_network(network)
            network = network if device is None else network.to(device)
        self.network, self.shorter_side = network, shorter_side
        self._source = (checkpoint, device)

    @classmethod
    def from_pretrained(cls, checkpoint: str | Path) -> "CutiePropagator":
        """One whose weights are read from a file, when they are first needed."""
        return cls(checkpoint=checkpoint)

    def training_copy(self, frames: Sequence[Frame]) -> CutieInTraining:
        """See `TrainablePropagator`."""
        video = self._watch(frames)
        return CutieInTraining(video.network, network_size(video.size, self.shorter_side))

    def trained(self, network: CutieInTraining) -> "CutiePropagator":
        """See `TrainablePropagator`."""
        return CutiePropagator(network.result, shorter_side=self.shorter_side)

    def _watch(self, frames: Sequence[Frame]) -> CutieVideo:
        if self.network is None:
            self.network = load_network(*self._source)
        forget_places(self.network)
        return CutieVideo(frames, self.network, self.shorter_side)

    def _session(self, video: CutieVideo) -> CutieSession:
        return CutieSession(video)
