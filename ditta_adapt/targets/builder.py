"""What the student learns from is built by one replaceable callable: the target builder."""

from typing import Protocol, runtime_checkable

from torch import Tensor

from ditta_adapt.config import AdaptConfig, Training
from ditta_adapt.errors import ConfigError, InputError
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.propagator import Propagator


@runtime_checkable
class TargetBuilder(Protocol):
    """Builds what the student learns from; `build_targets` is the default one."""

    def __call__(
        self,
        propagator: Propagator,
        warm_up: WarmUp,
        config: AdaptConfig,
        progress: ProgressCallback,
    ) -> Targets:
        """Labels for every frame of the warm-up, or targets with nothing to learn.

        Args:
            propagator: what follows objects, or warps maps, through the video. A builder that
                needs none leaves it closed. With `targets="auto"` it was opened before, to see
                whether it can warp; a configuration that names its targets saves that.
            warm_up: the frames and the frozen model's view of them.
            config: of the adaptation, with nothing left to `"auto"`; a builder takes from it
                what concerns it.
            progress: called along the way.
        """
        ...


def check_builder(builder: TargetBuilder, config: AdaptConfig) -> TargetBuilder:
    """The builder itself.

    Raises:
        InputError: it cannot be called, or is a class.
        ConfigError: the default builder is to build nothing, and training is configured.
    """
    if isinstance(builder, type) or not callable(builder):
        shown = builder.__name__ if isinstance(builder, type) else type(builder).__name__
        raise InputError(
            f"target_builder is {shown}; expected a function, or an object such as "
            "RefinedLabels(), that is called with (propagator, warm_up, config, progress)."
        )
    if builder is build_targets and config.targets is None and config.training != Training():
        raise ConfigError(
            "targets is None, so nothing is learned and training cannot act; leave training out, "
            "or set targets."
        )
    return builder


def check_targets(targets: Targets, warm_up: WarmUp) -> None:
    """Check what a target builder returned.

    Raises:
        InputError: no targets, or labels that do not fit the frames or the classes.
    """
    if not isinstance(targets, Targets):
        raise InputError(
            f"the target builder returned a {type(targets).__name__}; expected Targets, with one "
            "label map a frame, or with learnable=False if there is nothing to learn."
        )
    if not targets.learnable:
        return
    num_frames, num_classes = len(warm_up.frames), warm_up.segmenter.num_classes
    if len(targets.labels) != num_frames:
        raise InputError(
            f"the target builder returned labels for {len(targets.labels)} frames; expected one "
            f"map for each of the {num_frames} warm-up frames."
        )
    for t, labels in enumerate(targets.labels):
        if not isinstance(labels, Tensor) or labels.is_floating_point():
            dtype = f" of {labels.dtype}" if hasattr(labels, "dtype") else ""
            raise InputError(
                f"the target builder returned a {type(labels).__name__}{dtype} for frame {t}; "
                "expected a (H, W) int16 tensor of classes. Convert an array with "
                "torch.from_numpy(labels).to(torch.int16)."
            )
        if tuple(labels.shape) not in (warm_up.size, warm_up.grid):
            raise InputError(
                f"the target builder returned labels of shape {tuple(labels.shape)} for frame "
                f"{t}; expected the frame's size {warm_up.size} (H, W), or {warm_up.grid}, that of "
                "the model's logits."
            )
        low, high = int(labels.min()), int(labels.max())
        if low < IGNORE or high >= num_classes:
            raise InputError(
                f"the target builder returned labels from {low} to {high} for frame {t}; expected "
                f"classes in [0, {num_classes}), and {IGNORE} for pixels that teach nothing."
            )
    if targets.confidence:
        _check_confidence(targets)


def _check_confidence(targets: Targets) -> None:
    found = [tuple(trust.shape) for trust in targets.confidence]
    expected = [tuple(labels.shape) for labels in targets.labels]
    if found != expected:
        raise InputError(
            f"the target builder returned confidence for {len(found)} frames, of shapes "
            f"{sorted(set(found))}; expected one map for each of the {len(expected)} frames, of "
            f"the shape of its labels, {sorted(set(expected))}."
        )
    for t, trust in enumerate(targets.confidence):
        if not (trust.is_floating_point() and bool(((trust >= 0) & (trust <= 1)).all())):
            raise InputError(
                f"the target builder returned confidence of {trust.dtype} from {trust.min()} to "
                f"{trust.max()} for frame {t}; expected floats in [0, 1]."
            )
