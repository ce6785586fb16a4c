"""CoTTA: learn from a slow average of oneself, and forget a little at every step."""

from collections.abc import Iterable, Sequence
from typing import Any, get_args

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from ditta_adapt.baselines.arguments import check_choice, check_number
from ditta_adapt.baselines.frame_by_frame import Answer, FrameByFrame, ImageAnswer
from ditta_adapt.baselines.scope import Scope, local_names, parameters_in
from ditta_adapt.baselines.trained_encoder import encode_in_scope
from ditta_adapt.baselines.views import average_over_views, probabilities
from ditta_adapt.errors import InputError
from ditta_adapt.models.forward import decode, encode, preprocess_frame
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.private_copy import frozen_copy, private_copy
from ditta_adapt.models.segmenter import check_output
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.training.descent import Descent
from ditta_adapt.training.student import ema_update

SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 1.75, 2.0)


class CoTTA(FrameByFrame):
    """Continual test-time adaptation (Wang et al. 2022), as its authors do it for segmentation.

    Three models start as the image model: the student is trained, the teacher is an exponential
    moving average of the student, the anchor never changes; all are in eval mode. On each frame x
    of the warm-up, at frame size,

        P_k  = teacher's probabilities for view k of x       14 views: 7 scales, each also mirrored
        ŷ_i  = argmax P_plain,i  if max_c anchor_ic > threshold, else  argmax mean_k P_k,i
        L    = mean_i CE(student(x)_i, ŷ_i);   student <- Adam(dL/dstudent)
        teacher <- α teacher + (1 - α) student
        student <- m · pre-trained + (1 - m) · student,   m ~ Bernoulli(p) for each number

    in this order. The last line is for parameters that their layer calls exactly "weight" or
    "bias"; others, such as position tables, are trained and never restored.

    Views are made of what `Segmenter.preprocess` returns, since that may resize every frame to
    one size: a view scaled before it would come out as the frame itself. Scaled sides are rounded
    to multiples of 32. Scale 1 is exactly the model's own input.

    Published are the number of views and the threshold's origin; the scales here, and which model
    labels the frames after the warm-up, are this project's choice: the teacher, on the plain view.

    Args:
        model: a model of a known type, or any `Segmenter`.
        scope: `"all"` trains the whole model, as published; `"decoder"` only its adaptable
            modules.
        learning_rate: of Adam, with betas 0.9 and 0.999 and no weight decay.
        scales: of the views, 1 among them. `(1.0,)` for a model that takes one size only.
        threshold: above which confidence the anchor is believed, in [0, 1]. The default belongs
            to one model; see `estimate_threshold` for others.
        ema_rate: α, in [0, 1].
        restore_probability: p, in [0, 1].
        seed: of the restoration.

    Raises:
        UnknownModelError: the model's type has no adapter.
        SegmenterError: the segmenter cannot be copied, or has nothing to adapt.
        InputError: an argument is out of its range.
    """

    def __init__(
        self,
        model: Any,
        *,
        scope: Scope = "all",
        learning_rate: float = 6e-5 / 8,
        scales: Sequence[float] = SCALES,
        threshold: float = 0.69,
        ema_rate: float = 0.999,
        restore_probability: float = 0.01,
        seed: int = 0,
    ) -> None:
        super().__init__(model, seed=seed)
        check_choice("scope", scope, get_args(Scope))
        check_number("learning_rate", learning_rate, 0)
        check_number("threshold", threshold, 0, 1)
        check_number("ema_rate", ema_rate, 0, 1)
        check_number("restore_probability", restore_probability, 0, 1)
        if 1 not in scales or min(scales) <= 0:
            raise InputError(f"scales is {tuple(scales)}; expected numbers above 0, one of them 1.")
        self.scope, self.learning_rate, self.scales = scope, learning_rate, tuple(scales)
        self.threshold, self.ema_rate = threshold, ema_rate
        self.restore_probability = restore_probability
        self.reset()

    def _adapted(
        self, frames: list[Tensor], progress: ProgressCallback
    ) -> tuple[Answer, list[float]]:
        anchor = frozen_copy(self.segmenter)
        student, teacher = (
            private_copy(self.segmenter, lambda s: parameters_in(s, self.scope)) for _ in range(2)
        )
        trained = parameters_in(student, self.scope)
        averaged = parameters_in(teacher, self.scope)
        names = local_names(student)
        restored = [
            (parameter, source)
            for parameter, source in zip(trained, parameters_in(anchor, self.scope), strict=True)
            if names[id(parameter)] in ("weight", "bias")
        ]
        generator = torch.Generator(device_of(student)).manual_seed(self._seed)
        optimizer = torch.optim.Adam(trained, lr=self.learning_rate)
        descent = Descent(student, trained, optimizer, total=len(frames), progress=progress)
        for frame in frames:
            size = (frame.shape[1], frame.shape[2])
            images = preprocess_frame(anchor, frame)
            with torch.no_grad():
                # The frozen encoder of the narrower scope is the same in all three.
                encoded = encode(anchor, images)
                output = decode(anchor, encoded)
                check_output(output, anchor.num_classes, anchor.feature_dim)
                confidence = probabilities(output.logits, size).amax(dim=1)
                averaged_views, plain = average_over_views(teacher, images, self.scales, size)
                labels = gated_labels(plain, averaged_views, confidence, self.threshold)
            if self.scope == "all":
                encoded = encode_in_scope(student, images, self.scope)
            logits = resize_logits(decode(student, encoded).logits, size)
            descent.step({"cross_entropy": F.cross_entropy(logits, labels)})
            ema_update(averaged, trained, rate=self.ema_rate)
            restore(restored, self.restore_probability, generator)
        return ImageAnswer(teacher), descent.losses


def gated_labels(
    plain: Float[Tensor, "B C H W"],
    averaged: Float[Tensor, "B C H W"],
    confidence: Float[Tensor, "B H W"],
    threshold: float,
) -> Int64[Tensor, "B H W"]:
    """Pseudo labels: of `plain` where `confidence > threshold`, of `averaged` elsewhere."""
    sure = confidence > threshold
    return torch.where(sure, plain.max(dim=1).indices, averaged.max(dim=1).indices)


def restore(
    pairs: Iterable[tuple[Tensor, Tensor]], probability: float, generator: torch.Generator
) -> None:
    """Set each number of the first of a pair to that of the second, each with a probability."""
    with torch.no_grad():
        for own, source in pairs:
            chosen = torch.rand(own.shape, generator=generator, device=own.device) < probability
            own.copy_(torch.where(chosen, source, own))


def estimate_threshold(confidence: Float[Tensor, "..."]) -> float:
    """CoTTA's threshold for an image model: the 5 % quantile of its confidence, less 0.05.

    Args:
        confidence: the largest class probability of pixels of images like those the model was
            trained on; any shape, in [0, 1].

    Returns:
        The threshold, at least 0. The quantile is interpolated linearly.

    Raises:
        InputError: there is no value, or one is outside [0, 1].
    """
    values = confidence.detach().double().cpu().numpy()
    if values.size == 0 or not ((values >= 0) & (values <= 1)).all():
        raise InputError(
            f"confidence holds {values.size} values; expected at least one, all in [0, 1]."
        )
    return max(float(np.quantile(values, 0.05)) - 0.05, 0.0)
