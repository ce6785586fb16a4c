"""Train a classifier of masks on labelled videos."""

from collections.abc import Callable, Iterable
from functools import partial
from itertools import zip_longest
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, Integer
from torch import Tensor

from ditta_adapt.baselines.arguments import check_count, check_number
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.clip_network import ClipNetwork
from ditta_adapt.baselines.image_prediction import ImagePrediction, predict_image
from ditta_adapt.baselines.mask_classification import mask_features
from ditta_adapt.baselines.mask_classifier import MaskClassifier, Source
from ditta_adapt.baselines.masklets import Masklets
from ditta_adapt.baselines.painting import class_votes
from ditta_adapt.datasets import IGNORE
from ditta_adapt.errors import AdaptationError, InputError, ShapeError
from ditta_adapt.io.frames import Frame, frame_to_tensor
from ditta_adapt.models.caller_state import own_gradient_mode, seeded
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.private_copy import frozen_copy
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.teachers.registry import find_propagator

FramesAndLabels: TypeAlias = tuple[Iterable[Frame], Iterable[np.ndarray | Tensor]]
"""Frames, and as many label maps `(H, W)` of integers; 255 is ignored."""

_BATCH = 1024


def train_mask_classifier(
    videos: Iterable[FramesAndLabels],
    model: Any,
    propagator: Propagator | str,
    num_classes: int,
    *,
    points_per_side: int = 16,
    window: int = 32,
    thresholds: MaskThresholds | None = None,
    epochs: int = 20,
    learning_rate: float = 1e-3,
    seed: int = 0,
) -> MaskClassifier:
    """Train a classifier for `MaskClassification`: one sample per mask and frame.

    The propagator runs over every video as at test time. A mask's label is the class most of
    its labelled pixels have (ties: the smaller class); masks without any are left out. Features
    are the propagator's if its sessions show them (`FeatureSource`), else the image model's. The
    samples, `D` floats each, are kept in memory; to need less of it, give fewer videos. Trained by
    cross entropy with AdamW, in batches of 1024, seeded.

    Args:
        videos: each `(frames, labels)`, gone through once; frames of one video have one size.
        model: a model of a known type, or any `Segmenter`; stays as it is. Or a `ClipNetwork` that
            gives features, which are then what is learned from.
        propagator: what follows objects, or the registered name of one.
        num_classes: `C`; labels are in `[0, C)`, or 255 for ignored.
        points_per_side: of the grid of prompts.
        window: length of a window in frames.
        thresholds: of masks that the propagator proposes by itself.
        epochs: passes over the samples.
        learning_rate: of AdamW.
        seed: of the initial weights and the order of samples.

    Returns:
        The classifier, in eval mode, on the image model's device.

    Raises:
        InputError: an argument out of its range, a label that is no class, a video with more
            frames than labels or fewer, or no mask with a labelled pixel at all.
        ShapeError: a malformed frame or label map.
        SegmenterError: the image model's output breaks its contract.
        PropagationError: the propagator raised or broke its contract.
        AdaptationError: a loss is not finite.

    Source: "Evaluating SAM2 for video semantic segmentation", I-SAM2, which publishes neither the
    classifier nor its training: all numbers here are choices.
    """
    for name, count in (
        ("num_classes", num_classes),
        ("points_per_side", points_per_side),
        ("window", window),
        ("epochs", epochs),
    ):
        check_count(name, count)
    check_number("learning_rate", learning_rate, 0)
    found = find_propagator(propagator)
    with own_gradient_mode():
        if isinstance(model, ClipNetwork):
            network, device = model, model.device
            samples = _Samples(
                lambda frame: network.predict(frame.permute(1, 2, 0)), num_classes, "segmenter"
            )
        else:
            own = frozen_copy(find_segmenter(model))
            samples, device = _Samples(partial(predict_image, own), num_classes), device_of(own)
        for frames, labels in videos:
            if isinstance(model, ClipNetwork):
                model.reset()
            masklets = Masklets(
                found, points_per_side=points_per_side, window=window, thresholds=thresholds
            )
            try:
                with torch.no_grad():
                    samples.add_video(masklets, frames, labels)
            finally:
                masklets.close()
                if isinstance(model, ClipNetwork):
                    model.reset()
        features, classes, source = samples.joined()
        with seeded(seed, device):
            classifier = MaskClassifier(features.shape[1], num_classes, source).to(device)
            _fit(classifier, features.to(device), classes.to(device), epochs, learning_rate)
    return classifier.eval()


class _Samples:
    """Features and classes of masks, gathered video by video, on the CPU."""

    def __init__(
        self,
        predict: Callable[[Tensor], ImagePrediction],
        num_classes: int,
        source: Source | None = None,
    ) -> None:
        self._predict, self._num_classes = predict, num_classes
        self._features: list[Float[Tensor, "N D"]] = []
        self._classes: list[Int64[Tensor, " N"]] = []
        self._source = source

    def add_video(
        self,
        masklets: Masklets,
        frames: Iterable[Frame],
        labels: Iterable[np.ndarray | Tensor],
    ) -> None:
        size = None
        for t, (frame, truth) in enumerate(zip_longest(frames, labels)):
            if frame is None or truth is None:
                missing = "frame" if frame is None else "label map"
                raise InputError(f"a video has no {missing} {t}; expected one label map a frame.")
            tensor = frame_to_tensor(frame, name=f"frame {t}").clone()
            if size is not None and tensor.shape[1:] != size:
                raise ShapeError(
                    f"frame {t} is {tuple(tensor.shape[1:])} (H, W) but frame 0 is "
                    f"{tuple(size)}; all frames of a video must have one size."
                )
            size = tensor.shape[1:]
            self._add_frame(masklets, tensor, self._checked(truth, tensor, t))

    def _add_frame(self, masklets: Masklets, frame: Tensor, truth: Tensor) -> None:
        prediction = self._predict(frame)
        masks = masklets.follow(frame, prediction.labels).masks.cpu()
        votes = class_votes(masks, truth, self._num_classes)
        useful = votes.sum(dim=1) > 0
        if masklets.session is None or not useful.any():
            return
        if self._source is None:
            self._source = "propagator" if masklets.session.shows_features else "segmenter"
        chosen = masks[useful].to(prediction.labels.device)
        pooled = mask_features(masklets.session, prediction, chosen, self._source)
        self._features.append(pooled.cpu())
        self._classes.append(votes[useful].argmax(dim=1))

    def _checked(self, truth: np.ndarray | Tensor, frame: Tensor, t: int) -> Integer[Tensor, "H W"]:
        labels = torch.as_tensor(truth, device="cpu")
        if labels.shape != frame.shape[1:] or labels.is_floating_point():
            raise ShapeError(
                f"the labels of frame {t} are {tuple(labels.shape)} {labels.dtype}; expected "
                f"integers of the frame's size {tuple(frame.shape[1:])}."
            )
        labels = labels.long()
        wrong = (labels != IGNORE) & ((labels < 0) | (labels >= self._num_classes))
        if wrong.any():
            raise InputError(
                f"the labels of frame {t} hold {int(labels[wrong][0])}; expected a class in "
                f"[0, {self._num_classes}), or {IGNORE} for ignored."
            )
        return torch.where(labels == IGNORE, -1, labels)

    def joined(self) -> tuple[Float[Tensor, "N D"], Int64[Tensor, " N"], Source]:
        if self._source is None or not self._features:
            raise InputError(
                "no mask has a labelled pixel: there were no frames, the propagator saw none, or "
                "all pixels are ignored."
            )
        return torch.cat(self._features), torch.cat(self._classes), self._source


def _fit(
    classifier: MaskClassifier,
    features: Float[Tensor, "N D"],
    classes: Int64[Tensor, " N"],
    epochs: int,
    learning_rate: float,
) -> None:
    classifier.mean.copy_(features.mean(dim=0))
    classifier.scale.copy_(features.std(dim=0, correction=0).clamp(min=1e-6))
    optimiser = torch.optim.AdamW(classifier.parameters(), lr=learning_rate)
    for _ in range(epochs):
        order = torch.randperm(len(features), device="cpu").to(features.device)
        for batch in torch.split(order, _BATCH):
            loss = F.cross_entropy(classifier(features[batch]), classes[batch])
            if not torch.isfinite(loss):
                raise AdaptationError(
                    f"the loss of the mask classifier is {float(loss)}. Lower learning_rate (now "
                    f"{learning_rate})."
                )
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
