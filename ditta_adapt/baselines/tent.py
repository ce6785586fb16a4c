"""TENT: train the normalisation layers to be sure of their predictions."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase

from ditta_adapt.baselines.arguments import check_choice, check_count, check_number
from ditta_adapt.baselines.frame_by_frame import Answer, FrameByFrame, ImageAnswer
from ditta_adapt.baselines.scope import Scope, norm_parameters, norms_in
from ditta_adapt.baselines.trained_encoder import encode_in_scope
from ditta_adapt.errors import AdaptationError, SegmenterError
from ditta_adapt.models.caller_state import own_gradient_mode, seeded
from ditta_adapt.models.forward import decode, preprocess_frame
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.parameters import device_of, modules_of
from ditta_adapt.models.private_copy import private_copy
from ditta_adapt.models.segmenter import Segmenter, check_output
from ditta_adapt.progress import ProgressCallback, silent
from ditta_adapt.training.descent import Descent

TentLoss = Literal["entropy", "hard_label"]
Statistics = Literal["batch", "running"]
T = TypeVar("T", bound="Tent")


class Tent(FrameByFrame):
    """Minimise the entropy of the predictions through the normalisation layers (Wang et al. 2021).

    `θ <- Adam(dL/dθ)` for the scale and shift of batch, instance, layer and group norms, with
    `L = mean_i H_i`, `H_i = - sum_c p_ic log p_ic` over the cells i of the logits' own grid, or
    the cross-entropy of the logits with their own largest class. The updates go on from frame to
    frame over the warm-up and then stop, which is how this project fits the method to a warm-up
    followed by frozen prediction; in its paper it never stops.

    Two programs differ in nearly every setting; `original` and `for_segmentation` are these. The
    defaults are those of `original` without dropout.

    Args:
        model: a model of a known type, or any `Segmenter`.
        loss: `"entropy"`, or `"hard_label"` for the cross-entropy above.
        scope: `"all"` trains the norms of the encoder too, which runs with gradients at every
            step; `"decoder"` only those of the adaptable modules, which may be very few: a
            SegFormer head has one. What is outside stays as it is in every way.
        learning_rate: of Adam, with betas 0.9 and 0.999 and no weight decay.
        steps: on each frame.
        episodic: start over at every frame, and also adapt to every streamed frame: weights and
            the optimiser's state are those of the beginning at each. A frame is labelled by the
            forward pass before the last update, so one step gives the predictions of a model that
            was not trained at all. `adapt` then does nothing but check the frames.
        statistics: what the batch norms in scope, and instance norms that have them, normalise
            with: `"batch"`, the frame's own mean and variance, from the first adapted frame on
            and for the streamed frames too; `"running"`, those of the training.
        dropout: whether dropout, and whatever else depends on train mode, is active while
            adapting. It is off whenever a frame is labelled.
        seed: of dropout.

    Raises:
        UnknownModelError: the model's type has no adapter.
        SegmenterError: the segmenter cannot be copied, or has no norm to train in the scope.
        InputError: an argument is out of its range.
    """

    def __init__(
        self,
        model: Any,
        *,
        loss: TentLoss = "entropy",
        scope: Scope = "all",
        learning_rate: float = 1e-3,
        steps: int = 1,
        episodic: bool = False,
        statistics: Statistics = "batch",
        dropout: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__(model, seed=seed)
        check_choice("loss", loss, get_args(TentLoss))
        check_choice("scope", scope, get_args(Scope))
        check_choice("statistics", statistics, get_args(Statistics))
        check_number("learning_rate", learning_rate, 0)
        check_count("steps", steps)
        self.loss, self.scope, self.statistics = loss, scope, statistics
        self.learning_rate, self.steps = learning_rate, steps
        self.episodic, self.dropout = episodic, dropout
        norm_parameters(self.segmenter, scope)  # Raises now, not after a video was read.
        self.reset()

    @classmethod
    def original(cls: type[T], model: Any, *, scope: Scope = "all", seed: int = 0) -> T:
        """The authors' program, made for classification: entropy, batch statistics, dropout."""
        return cls(model, scope=scope, learning_rate=1e-3, dropout=True, seed=seed)

    @classmethod
    def for_segmentation(cls: type[T], model: Any, *, scope: Scope = "all") -> T:
        """The variant that CoTTA's authors compare with on SegFormer: own labels, all in eval."""
        return cls(
            model, loss="hard_label", scope=scope, learning_rate=6e-5 / 8, statistics="running"
        )

    def _pretrained(self) -> Answer:
        return self._episode if self.episodic else super()._pretrained()

    def _adapted(
        self, frames: list[Tensor], progress: ProgressCallback
    ) -> tuple[Answer, list[float]]:
        if self.episodic:
            return self._episode, []
        own = self._trainable_copy()
        with _single_cells_explained():
            losses = self._train(own, frames, self.steps, progress)
        return ImageAnswer(own), losses

    def _episode(self, frame: Tensor) -> Tensor:
        """Logits of the forward pass before the last of `steps` updates from the beginning."""
        with own_gradient_mode(), seeded(self._seed, device_of(self.segmenter)):
            own = self._trainable_copy()
            with _single_cells_explained():
                # The last update would come after the answer, and goes with the copy.
                self._train(own, [frame], self.steps - 1, silent)
                return ImageAnswer(own)(frame)

    def _trainable_copy(self) -> Segmenter:
        own = private_copy(self.segmenter, lambda s: norm_parameters(s, self.scope))
        if self.statistics == "batch":
            for layer in norms_in(own, self.scope):
                if isinstance(layer, _NormBase):
                    # Without them the layer takes the batch's own, in eval mode too, where
                    # synchronised norms do not talk to other processes.
                    layer.running_mean = layer.running_var = None
                    layer.track_running_stats = False
        return own

    def _train(
        self, own: Segmenter, frames: list[Tensor], steps: int, progress: ProgressCallback
    ) -> list[float]:
        parameters = norm_parameters(own, self.scope)
        optimizer = torch.optim.Adam(parameters, lr=self.learning_rate)
        total = steps * len(frames)
        descent = Descent(own, parameters, optimizer, total=total, progress=progress)
        self._set_training(own, self.dropout)
        for frame in frames:
            images = preprocess_frame(own, frame)
            encoded = None
            for _ in range(steps):
                if encoded is None or self.scope == "all":
                    encoded = encode_in_scope(own, images, self.scope)
                output = decode(own, encoded)
                if not descent.losses:
                    check_output(output, own.num_classes, own.feature_dim)
                descent.step({self.loss: _LOSSES[self.loss](output.logits)})
        self._set_training(own, False)
        return descent.losses

    def _set_training(self, own: Segmenter, training: bool) -> None:
        modules = modules_of(own) if self.scope == "all" else own.adaptable_modules().values()
        for module in modules:
            for layer in named_modules(module).values():
                # In train mode a norm would write into its running statistics.
                layer.training = training and not isinstance(layer, _NormBase)


def entropy_loss(logits: Float[Tensor, "B C h w"]) -> Float[Tensor, ""]:
    """Mean entropy: `- mean_i sum_c p_ic log p_ic`, in nats, in `[0, ln C]`.

    Its gradient with respect to a cell's logit k is `-p_k (log p_k + H)` over the number of cells,
    so that uniform logits stay where they are.
    """
    log_p = logits.float().log_softmax(dim=1)
    loss: Tensor = -(log_p.exp() * log_p).sum(dim=1).mean()
    return loss


def hard_label_loss(logits: Float[Tensor, "B C h w"]) -> Float[Tensor, ""]:
    """Mean cross-entropy with each cell's own largest class: `- mean_i log max_c p_ic`, >= 0."""
    return F.cross_entropy(logits.float(), logits.detach().max(dim=1).indices)


_LOSSES = {"entropy": entropy_loss, "hard_label": hard_label_loss}


@contextmanager
def _single_cells_explained() -> Iterator[None]:
    try:
        yield
    except SegmenterError as error:
        if "more than 1 value per channel" not in str(error):
            raise
        raise AdaptationError(
            f"a batch norm sees a single cell, whose own statistics say nothing ({error}). Use "
            "statistics='running', or larger frames."
        ) from error
