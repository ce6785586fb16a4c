"""Masks named by what a network of clips sees in them."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Int64
from torch import Tensor

from ditta_adapt.baselines.arguments import check_count
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.clip_network import ClipNetwork
from ditta_adapt.baselines.mask_classification import ClassifiedMasks
from ditta_adapt.baselines.mask_classifier import MaskClassifier
from ditta_adapt.baselines.masklets import Masklets
from ditta_adapt.errors import InputError
from ditta_adapt.io.frames import Frame, frame_to_tensor, frames_to_tensors
from ditta_adapt.models.caller_state import own_gradient_mode
from ditta_adapt.progress import Progress, ProgressCallback, check_progress, silent
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import find_propagator


class ClipClassification:
    """`MaskClassification` with the features of a network of clips: I-CFFM and its like.

    Masks run through the warm-up, too. If the propagator or the network fails while streaming, the
    masks begin anew with the next frame.

    Args:
        network: returns `(logits, features)`, see `ClipNetwork`.
        propagator: what follows objects, or the registered name of one.
        classifier: of `train_mask_classifier` with the same network; copied.
        base: whether pixels without a mask take the network's label, else class 0.
        points_per_side: of the grid of prompts.
        window: length of a window in frames.
        thresholds: of masks that the propagator proposes by itself.

    Raises:
        InputError: an argument out of its range, or a classifier of a propagator's features.

    Source: "Evaluating SAM2 for video semantic segmentation", I-CFFM.
    """

    def __init__(
        self,
        network: ClipNetwork,
        propagator: Propagator | str,
        classifier: MaskClassifier,
        *,
        base: bool = True,
        points_per_side: int = 16,
        window: int = 32,
        thresholds: MaskThresholds | None = None,
    ) -> None:
        check_count("points_per_side", points_per_side)
        check_count("window", window)
        if not isinstance(network, ClipNetwork):
            raise InputError(
                f"network is a {type(network).__name__}; expected a ClipNetwork. A model of images "
                "goes to MaskClassification."
            )
        if classifier.source != "segmenter":
            raise InputError(
                "the classifier was trained on a propagator's features; expected one of "
                "train_mask_classifier(videos, network, ...) with this network."
            )
        self.network, self._base = network, base
        self._propagator = find_propagator(propagator)
        self._options: dict[str, Any] = {
            "points_per_side": points_per_side,
            "window": window,
            "thresholds": thresholds,
        }
        with own_gradient_mode():
            self._classifier = copy.deepcopy(classifier).eval().requires_grad_(False)
        self._masks: ClassifiedMasks | None = None

    def adapt(self, frames: Iterable[Frame], *, progress: ProgressCallback = silent) -> None:
        """Run over the first frames of a video; nothing is trained. See `Method.adapt`.

        Raises:
            SegmenterError: the network raised, or returned something else.
            PropagationError: the propagator raised or broke its contract.
        """
        check_progress(progress)
        video = [tensor.permute(1, 2, 0) for tensor in frames_to_tensors(frames)]
        try:
            self.clear_memory()
            for t, frame in enumerate(video):
                self(frame)
                progress(Progress("track", t + 1, len(video)))
        except BaseException:
            self.reset()
            raise

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream; see `Method`.

        Raises:
            SegmenterError: the network raised, or returned something else.
            PropagationError: the propagator raised or broke its contract.
        """
        tensor = frame_to_tensor(frame)
        try:
            prediction = self.network.predict(frame)
            if self._masks is None:
                masklets = Masklets(self._propagator, **self._options)
                classifier = self._classifier.to(prediction.labels.device)
                self._masks = ClassifiedMasks(masklets, classifier, self._base)
            with own_gradient_mode(), torch.no_grad():
                return self._masks.label(tensor, prediction)
        except BaseException:
            self._forget()
            raise

    def clear_memory(self) -> None:
        """The video starts over, for the network, too."""
        self._forget()
        self.network.clear_memory()

    def reset(self) -> None:
        """Next video, for the network, too."""
        self._forget()
        self.network.reset()

    def _forget(self) -> None:
        masks, self._masks = self._masks, None
        if masks is not None:
            masks.close()
