"""AuxAdapt: a small model learns on the side of a large one that stays as it is."""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ditta_adapt.baselines.arguments import check_choice, check_number
from ditta_adapt.baselines.frame_by_frame import Answer, FrameByFrame, ImageAnswer
from ditta_adapt.baselines.scope import parameters_in
from ditta_adapt.baselines.trained_encoder import encode_in_scope
from ditta_adapt.errors import InputError
from ditta_adapt.models.forward import decode, preprocess_frame
from ditta_adapt.models.private_copy import frozen_copy, private_copy
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import check_output
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.training.descent import Descent

Fuse = Literal["logits", "probs"]
LossOn = Literal["fused", "aux"]


class AuxAdapt(FrameByFrame):
    """A frozen main model and a small one that is trained to agree with both (Zhang et al. 2022).

        z = z_M + z_A,   ŷ = argmax_c z,   L = mean_i CE(s_i, ŷ_i),   θ_A <- SGD(dL/dθ_A)

    at frame size, one step a frame, once over the warm-up, all parameters of the small model; both
    models are in eval mode. ŷ is the prediction and the pseudo label in one. After the warm-up both
    models still run on every frame.

    Known from the paper's abstract are the sum, the label and which model is trained. Which scores
    s the loss is on, the optimiser and its rate are this project's choices, not published values.

    With no smaller model of the same classes at hand, the image model may be given for both: the
    copy that is trained is then held back by the one that is not, at twice the cost. That is not
    a form the paper describes.

    Args:
        model: the main model: of a known type, or any `Segmenter`.
        aux: the small model, likewise; it may resize frames to its own size in `preprocess`. It
            must know the same classes in the same order, and must have been trained: scores of a
            random model spoil the first labels, and those of an over-confident one rule the sum.
        loss_on: `"fused"`: s = z, with no gradient to the main model; `"aux"`: s = z_A.
        fuse: `"logits"`: z as above; `"probs"`: `z = log((softmax z_M + softmax z_A) / 2)`, so that
            the label is that of the averaged probabilities.
        learning_rate: of SGD with no weight decay.
        momentum: of SGD, in [0, 1].

    Raises:
        UnknownModelError: a model's type has no adapter.
        SegmenterError: a segmenter cannot be copied, or has nothing to adapt.
        InputError: the models differ in the number of classes, or an argument is out of its range.
    """

    def __init__(
        self,
        model: Any,
        aux: Any,
        *,
        loss_on: LossOn = "fused",
        fuse: Fuse = "logits",
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
    ) -> None:
        super().__init__(model)
        self.aux = find_segmenter(aux)
        main_classes, aux_classes = self.segmenter.num_classes, self.aux.num_classes
        if main_classes != aux_classes:
            raise InputError(
                f"the main model has {main_classes} classes and aux has {aux_classes}; their "
                "scores are added, so both must know the same classes in the same order."
            )
        check_choice("loss_on", loss_on, get_args(LossOn))
        check_choice("fuse", fuse, get_args(Fuse))
        check_number("learning_rate", learning_rate, 0)
        check_number("momentum", momentum, 0, 1)
        self.loss_on, self.fuse = loss_on, fuse
        self.learning_rate, self.momentum = learning_rate, momentum
        self.reset()

    def _pretrained(self) -> Answer:
        main, aux = (frozen_copy(each) for each in (self.segmenter, self.aux))
        return _FusedAnswer(ImageAnswer(main), ImageAnswer(aux), self.fuse)

    def _adapted(
        self, frames: list[Tensor], progress: ProgressCallback
    ) -> tuple[Answer, list[float]]:
        main = ImageAnswer(frozen_copy(self.segmenter))
        aux = private_copy(self.aux, lambda s: parameters_in(s, "all"))
        parameters = parameters_in(aux, "all")
        optimizer = torch.optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum)
        descent = Descent(aux, parameters, optimizer, total=len(frames), progress=progress)
        for frame in frames:
            output = decode(aux, encode_in_scope(aux, preprocess_frame(aux, frame), "all"))
            if not descent.losses:
                check_output(output, aux.num_classes, aux.feature_dim)
            own = resize_logits(output.logits, (frame.shape[1], frame.shape[2]))
            fused = fused_scores(main(frame).to(own.device), own, self.fuse)
            labels = fused.detach().max(dim=1).indices
            scores = fused if self.loss_on == "fused" else own
            descent.step({"cross_entropy": F.cross_entropy(scores, labels)})
        return _FusedAnswer(main, ImageAnswer(aux), self.fuse), descent.losses


@dataclass(frozen=True, slots=True)
class _FusedAnswer:
    """The scores of both models together."""

    main: ImageAnswer
    aux: ImageAnswer
    fuse: Fuse

    def __call__(self, frame: Tensor) -> Float[Tensor, "1 C H W"]:
        main = self.main(frame)
        return fused_scores(main, self.aux(frame).to(main.device), self.fuse)


def fused_scores(
    main: Float[Tensor, "B C H W"], aux: Float[Tensor, "B C H W"], fuse: Fuse
) -> Float[Tensor, "B C H W"]:
    """One set of logits out of two.

    `main + aux` for `"logits"`; `log((softmax main + softmax aux) / 2)` for `"probs"`, whose
    softmax is the average of the two distributions.
    """
    if fuse == "logits":
        return main + aux
    return torch.logaddexp(main.log_softmax(dim=1), aux.log_softmax(dim=1)) - math.log(2)
