"""Accel: logits of the frame before, warped along the flow, fused by a 1 x 1 convolution."""

from collections.abc import Iterable
from dataclasses import replace
from operator import attrgetter

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn

from ditta_adapt.clock import Clock
from ditta_adapt.config import AdaptConfig, CrossEntropy, DenseVote, Training
from ditta_adapt.errors import ConfigError
from ditta_adapt.io.frames import (
    Frame,
    check_stream_size,
    frame_size,
    frame_to_tensor,
    frames_to_tensors,
)
from ditta_adapt.models.caller_state import OWN_LAYER, own_gradient_mode, seeded, without_autocast
from ditta_adapt.models.forward import encode_frame
from ditta_adapt.models.parameters import device_of
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.models.segmenter import Segmenter, check_output
from ditta_adapt.ops.resize import resize_logits
from ditta_adapt.progress import ProgressCallback, check_progress, silent
from ditta_adapt.report import AdaptationReport, report_of
from ditta_adapt.safety.guarded_training import Trained
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder, check_builder, check_targets
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.checked_calls import open_warper, warp_maps
from ditta_adapt.teachers.propagator import DenseWarper, Propagator
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.training.changes import buffers_kept, check_finite
from ditta_adapt.training.descent import Descent
from ditta_adapt.training.distillation import Distillation
from ditta_adapt.training.single_values import single_value_norms
from ditta_adapt.training.student import Student


class AccelFusion(nn.Module):
    r"""Fuse a frame's logits with those of the frame before.

    .. math:: z_{out} = z_t + W\,[z_t, z'_{t-1}]

    with `W` a 1 x 1 convolution from `2C` to `C` channels without bias that starts at 0. So it
    starts as the identity on `z_t`, exactly and whatever the flow, and weight decay pulls it back
    there. Where the flow has no valid source, `z_t` stands in for `z'`.

    Args:
        num_classes: `C`.

    Source: Accel as used by UnifiedVideoDA (arXiv 2402.00868), which learns `I + W` in one; `z_t`
    for missing sources is ours, the program puts 255 there.
    """

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.weights = nn.Conv2d(2 * num_classes, num_classes, 1, bias=False, **OWN_LAYER)
        nn.init.zeros_(self.weights.weight)

    def forward(
        self,
        logits: Float[Tensor, "1 C H W"],
        warped: Float[Tensor, "C H W"],
        valid: Bool[Tensor, "H W"],
    ) -> Float[Tensor, "1 C H W"]:
        """Fused logits.

        Args:
            logits: `z_t`.
            warped: `z'`, logits of the frame before brought into this one.
            valid: where they have a source.
        """
        filled = torch.where(valid, warped, logits)
        change: Tensor = self.weights(torch.cat([logits, filled], dim=1))
        return logits + change


def default_config(*, seed: int = 0) -> AdaptConfig:
    """Labels as they are, learned by cross-entropy; neither memory, checks nor second looks."""
    training = Training(distillation=CrossEntropy(), adapted_share=1.0, class_balance=0.0)
    return AdaptConfig(training=training, memory=None, safety=None, look=None, seed=seed)


class AccelSegmenter:
    """An image model with Accel as its temporal add-on; a `Method`.

    `adapt` trains a copy of the decoder, and the fusion, on the targets: cross-entropy of the
    fused logits, with those of frame t-1 taken from its own step, without gradients. The first
    frame of a video, or of a warm-up, is not fused. Weights are frozen then, but *the propagator
    goes on*: every streamed frame costs a flow between two frames besides its pass of the image
    model. Memory is constant: the frame before and its logits.

    Args:
        model: a model of a known type, or any `Segmenter`; it is never changed.
        propagator: what follows objects, or the registered name of one; it must warp dense maps.
        config: `default_config()` if not given. It has neither memory, safety checks, second
            looks nor a contrastive loss, for which there is no place here.
        target_builder: makes the labels that are learned.

    Attributes:
        report: of the last `adapt`; none before it and after `reset`.

    Raises:
        UnknownModelError: the model's type has no adapter.
        SegmenterError: the segmenter cannot be copied or has nothing to adapt.
        InputError: no such propagator; a target builder that cannot be called.
        ConfigError: the configuration asks for what could not act.
    """

    _frozen: Student
    _student: Student
    _fusion: AccelFusion | None
    _previous: "_Memory | None"
    report: AdaptationReport | None

    def __init__(
        self,
        model: object,
        *,
        propagator: Propagator | str = "flow",
        config: AdaptConfig | None = None,
        target_builder: TargetBuilder = build_targets,
    ) -> None:
        self.segmenter: Segmenter = find_segmenter(model)
        self.config = config or default_config()
        for name in ("memory", "safety", "look", "training.contrast"):
            if attrgetter(name)(self.config) is not None:
                raise ConfigError(
                    f"{name} is set, which cannot act in Accel: begin with accel.default_config()."
                )
        if self.config.targets is not None and self.config.training.adapted_share != 1:
            raise ConfigError(
                f"training.adapted_share is {self.config.training.adapted_share}; Accel keeps all "
                "that was learned: set it to 1."
            )
        self.target_builder = check_builder(target_builder, self.config)
        self._propagator = find_propagator(propagator)
        self.reset()

    def adapt(
        self, frames: Iterable[Frame], *, progress: ProgressCallback = silent
    ) -> AdaptationReport:
        """Train decoder and fusion on the first frames of a video, from pre-trained weights.

        Without anything to learn the image model stays as it is. With a single frame there is no
        pair to train the fusion on, so nothing is fused until the next `adapt`.

        Args:
            frames: in order: `(H, W, 3)` uint8 RGB of one size, at least one.
            progress: called after every step with a `Progress`.

        Raises:
            InputError: no frame, or a malformed one (`ShapeError`); targets that do not fit them.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the propagator raised, broke its contract, or cannot warp dense maps.
            AdaptationError: a loss is not finite.

        Whatever is raised, this method is as it was before.
        """
        check_progress(progress)
        tensors = frames_to_tensors(frames)
        clock = Clock()
        losses: list[dict[str, float]] = []
        fusion: AccelFusion | None = None
        config = self.config
        if config.targets == "auto":
            config = replace(config, targets=DenseVote())
        with own_gradient_mode(), seeded(config.seed, device_of(self.segmenter)):
            frozen = student = Student.pretrained(self.segmenter)
            with clock.stage("predict"):
                warm_up = WarmUp.from_frames(frozen.segmenter, tensors, progress)
            # Open from here on, so that the target builder's sessions can share work with it.
            with open_warper(self._propagator, warm_up.video) as session:
                with clock.stage("teach"):
                    targets = self.target_builder(self._propagator, warm_up, config, progress)
                    check_targets(targets, warm_up)
                if targets.learnable:
                    student = Student.create(self.segmenter, config, len(tensors))
                    if len(tensors) > 1:
                        fusion = AccelFusion(student.segmenter.num_classes)
                        fusion.to(device_of(student.segmenter))
                    with clock.stage("adapt"), without_autocast(device_of(self.segmenter)):
                        with buffers_kept(student):
                            losses = _train(
                                student, fusion, session, warm_up, targets, config, progress
                            )
                        check_finite(student, frozen)
            with torch.no_grad():
                last = student.decode(warm_up.encodings[len(tensors) - 1])
        report = report_of(
            self.segmenter,
            self._propagator,
            config,
            warm_up,
            targets,
            Trained(student, losses),
            clock.seconds,
        )
        self._frozen, self._student = frozen, student
        self._fusion, self.report = fusion, report
        self._previous = _Memory(warm_up.video[-1], last.logits)
        return report

    def __call__(self, frame: Frame) -> Int64[Tensor, "H W"]:
        """Label the next frame of the stream: `(H, W)` int64 on the model's device.

        Raises:
            ShapeError: a malformed frame, or another size than the frames before it.
            SegmenterError: the model's output breaks its contract, such as NaN in the logits.
            PropagationError: the propagator raised or broke its contract.

        The stream's memory is as before if anything is raised.
        """
        tensor = frame_to_tensor(frame)
        image = tensor.permute(1, 2, 0)
        size = frame_size(tensor)
        previous = self._previous
        check_stream_size(tensor, None if previous is None else previous.size)
        with torch.no_grad():
            output = self._student.decode(encode_frame(self._frozen.segmenter, tensor))
            check_output(output, self.segmenter.num_classes, self.segmenter.feature_dim)
            logits = resize_logits(output.logits, size)
            if self._fusion is not None and previous is not None:
                before = resize_logits(previous.logits, size)[0]
                with open_warper(self._propagator, (previous.image, image)) as session:
                    logits = self._fusion(logits, *warp_maps(session, before, 0, 1))
            labels: Tensor = logits.max(dim=1).indices[0]
        self._previous = _Memory(image, output.logits)
        return labels

    def clear_memory(self) -> None:
        """Forget the previous frame, and keep what was adapted: for a cut, or a second clip."""
        self._previous = None

    def reset(self) -> None:
        """Next video: pre-trained weights, empty memory, no report."""
        with own_gradient_mode():
            self._frozen = self._student = Student.pretrained(self.segmenter)
        self._fusion = self.report = None
        self.clear_memory()


class _Memory:
    """What is kept of the frame before."""

    def __init__(self, image: Tensor, logits: Tensor) -> None:
        self.image = image
        self.logits = logits

    @property
    def size(self) -> tuple[int, int]:
        return self.image.shape[0], self.image.shape[1]


def _train(
    student: Student,
    fusion: AccelFusion | None,
    session: DenseWarper,
    warm_up: WarmUp,
    targets: Targets,
    config: AdaptConfig,
    progress: ProgressCallback,
) -> list[dict[str, float]]:
    """One optimiser step a frame, `training.passes` times over the warm-up; the losses of each."""
    options = config.training
    parameters = student.parameters()
    if fusion is not None:
        parameters += list(fusion.parameters())
    optimizer = torch.optim.AdamW(
        parameters,
        lr=options.learning_rate,
        betas=options.betas,
        weight_decay=options.weight_decay,
    )
    total = options.passes * len(warm_up.frames)
    descent = Descent(student.segmenter, parameters, optimizer, total=total, progress=progress)
    in_train = options.module_mode == "train"
    in_eval = single_value_norms(student, warm_up.encodings[0]) if in_train else frozenset()
    student.set_training(in_train, in_eval=in_eval)
    device, frozen = device_of(student.segmenter), warm_up.grid_logits
    previous: Tensor | None = None
    for step in range(total):
        t = step % len(warm_up.frames)
        height, width = targets.labels[t].shape
        plain = resize_logits(student.decode(warm_up.encodings[t]).logits, (height, width))
        logits = plain
        if fusion is not None and previous is not None and t > 0:
            with torch.no_grad():
                warped, valid = warp_maps(session, previous, t - 1, t)
            logits = fusion(plain, warped, valid)
        distill = Distillation(targets, t, frozen, options.distillation, device)
        descent.step({"distill": distill(logits)})
        previous = plain[0].detach()
    student.set_training(False)
    return descent.history
