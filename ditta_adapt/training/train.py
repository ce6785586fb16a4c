"""Stage C: train the student on the targets, one optimiser step a frame."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ditta_adapt.config import AdaptConfig, AttentionAddon
from ditta_adapt.errors import ConfigError, SegmenterError
from ditta_adapt.models.encodings import FrameCache, join_batch
from ditta_adapt.models.segmenter import Encoded, SegmenterOutput
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.targets import Targets
from ditta_adapt.training.balance import class_weights
from ditta_adapt.training.contrast import ContrastiveTerm
from ditta_adapt.training.descent import Descent
from ditta_adapt.training.distillation import Distillation
from ditta_adapt.training.single_values import single_value_norms
from ditta_adapt.training.student import Student


@dataclass(frozen=True, slots=True)
class TrainingLog:
    """What came of training.

    Attributes:
        losses: of every step, by name, with their sum as `"total"`.
        note: in plain words, what was left out of it, or `""`.
    """

    losses: list[dict[str, float]]
    note: str


def train_student(
    student: Student,
    encodings: FrameCache[Encoded],
    targets: Targets,
    frozen: Callable[[int], Tensor],
    config: AdaptConfig,
    progress: ProgressCallback,
) -> TrainingLog:
    """Train the student in place: `training.passes` times over the warm-up, in order.

    Each frame takes `training.steps_per_frame` steps before the next one comes.

    Per frame, `L = L_distill(plain) + L_distill(add-on) + weight * L_contrast` (Eq. 5 to 8); the
    add-on's term from the second frame on.

    Args:
        student: what is trained.
        encodings: of the warm-up frames.
        targets: what is learned.
        frozen: logits of the frozen model on a frame, `(1, C, h, w)`, to hold on to where targets
            are doubtful.
        config: of the losses and of the optimisation.
        progress: called after every step.

    Returns:
        The losses of every step, and what was left out.

    Raises:
        AdaptationError: a loss is not finite, or no gradient reaches what is trained.
        ConfigError: a contrastive term is asked for but the targets name no objects.
        SegmenterError: two frames cannot be decoded together, as `through_previous_frame` asks.
    """
    options = config.training
    if options.contrast is not None and not targets.object_ids:
        raise ConfigError(
            f"training.contrast is {options.contrast} but the targets, {targets.source}, name no "
            "objects to contrast. Set it to None, or take targets with objects."
        )
    parameters = student.parameters()
    optimizer = torch.optim.AdamW(
        parameters,
        lr=options.learning_rate,
        betas=options.betas,
        weight_decay=options.weight_decay,
    )
    repeats = range(options.steps_per_frame)
    order = [t for _ in range(options.passes) for t in range(len(encodings)) for _ in repeats]
    total = len(order)
    descent = Descent(student.segmenter, parameters, optimizer, total=total, progress=progress)
    in_train = options.module_mode == "train"
    in_eval = single_value_norms(student, encodings[0]) if in_train else frozenset()
    contrast = None
    if options.contrast is not None:
        contrast = ContrastiveTerm(student, options.contrast, config.reliability_normalizer)
        contrast.momentum.set_training(in_train, in_eval=in_eval)
    balance = None
    if options.class_balance:
        classes = student.segmenter.num_classes
        balance = class_weights(targets.labels, classes, exponent=options.class_balance)
    memory = config.memory
    as_pair = isinstance(memory, AttentionAddon) and memory.through_previous_frame
    student.set_training(in_train, in_eval=in_eval)
    # By frame, what was last said of it: the add-on sees the frame before.
    said: dict[int, SegmenterOutput] = {}
    for t in order:
        encoded = encodings[t]
        pair = as_pair and student.addon is not None and t > 0
        if pair:
            encoded = join_batch(encoded, encodings[t - 1])
        output, before = _frames_of(student.decode(encoded), pair)
        previous = before or said.get(t - 1)
        device = output.logits.device
        distill = Distillation(targets, t, frozen, options.distillation, device, balance)
        losses = {"distill": distill(output.logits)}
        if student.addon is not None and t > 0:
            assert previous is not None
            second = student.addon(output.features, previous.features, previous.logits)
            losses["distill_addon"] = distill(second)
        if contrast is not None:
            with torch.no_grad():
                momentum, _ = _frames_of(contrast.momentum.decode(encoded), pair)
            object_ids = targets.object_ids[t].to(output.logits.device).long()
            losses["contrast"] = contrast.loss(output, momentum, object_ids)
        descent.step(losses)
        if contrast is not None:
            contrast.follow(student)
        said = {frame: kept for frame, kept in said.items() if frame == t - 1}
        said[t] = SegmenterOutput(output.features.detach(), output.logits.detach())
    student.set_training(False)
    notes = [descent.note]
    if in_eval:
        shown = ", ".join(sorted(in_eval))
        notes.append(f"{shown} stay in eval mode, as they see one value a channel")
    return TrainingLog(descent.history, "; ".join(filter(None, notes)))


def _frames_of(
    output: SegmenterOutput, pair: bool
) -> tuple[SegmenterOutput, SegmenterOutput | None]:
    """The output of a frame, and of the frame before it if both were decoded together."""
    if not pair:
        return output, None
    features, logits = output.features, output.logits
    if len(logits) != 2:
        raise SegmenterError(
            f"two frames were decoded together, and decode returned {len(logits)}: an encoding has "
            "tensors whose first axis is not the batch. Set through_previous_frame=False."
        )
    first, second = slice(0, 1), slice(1, 2)
    return (
        SegmenterOutput(features[first], logits[first]),
        SegmenterOutput(features[second], logits[second]),
    )
