"""`wrap`: from an image segmentation model to a video segmentation model."""

from typing import Any

from ditta_adapt.config import AdaptConfig, CacheBudget
from ditta_adapt.errors import ConfigError
from ditta_adapt.io.frame_format import Color, FrameFormat
from ditta_adapt.models.registry import find_segmenter
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.builder import TargetBuilder
from ditta_adapt.teachers.propagator import Propagator
from ditta_adapt.video_segmenter import VideoSegmenter


def wrap(
    model: Any,
    *,
    processor: Any = None,
    threshold: float = 0.5,
    propagator: Propagator | str = "flow",
    config: AdaptConfig | None = None,
    target_builder: TargetBuilder = build_targets,
    cache: CacheBudget | None = None,
    color: Color = "rgb",
    value_range: tuple[float, float] | None = None,
    compile: bool = False,
) -> VideoSegmenter:
    """Turn an image segmentation model into a video segmentation model.

    The model itself is never changed: adaptation works on a private copy of its decoder, and the
    frozen encoder is shared, not copied. So a second video model of the same model, for another
    camera or another thread, costs hardly any memory until it is adapted. Move the model to its
    device before wrapping it, and wrap it again after training it further. A model whose forward
    pass writes into its own weights does so here as well.

    Several threads may adapt several video models; they take turns, since torch has one state of
    random numbers for all of them.

    Args:
        model: any torch model that labels pixels, or a `Segmenter`. Its parts are found by running
            it on noise, see `describe`; or named, with `HookedSegmenter`. `DataParallel`,
            `torch.compile`, PEFT and the like are taken off, see `ditta_adapt.models.unwrap`.
        processor: what images are prepared with for the model: its image processor of
            transformers, the `transforms()` of torchvision's weights, transforms of albumentations,
            settings such as those of a `preprocessor_config.json`, or a function of an image. By
            default what the model carries says it, else ImageNet's normalisation is taken. What
            would cut the border of a frame off is not done.
        threshold: probability above which a pixel is of the class, for a model with a single one.
        propagator: the teacher, which follows objects or warps maps through the video; or the
            registered name of one, which is built when it is first needed and then kept. Needed by
            `adapt`, and by streaming afterwards if it warps votes.
        config: hyper-parameters; the default preset if not given.
        target_builder: makes the labels that are learned; what `config.targets` says if not given.
        cache: memory that adapting may use; a choice of the machine, so it is not saved.
        color: order of the channels of arrays and tensors that are given as frames; frames that
            OpenCV read are `"bgr"`. Image files and images of Pillow say it themselves.
        value_range: black and white of floating-point frames, such as `(0, 1)`. Without it only
            uint8 frames are taken.
        compile: whether to stream with CUDA graphs of the encoder and the decoder, which saves the
            launches of their kernels: faster by far where a model is many small ones. Labels are
            those of the model itself but for rounding. Frames of another size are captured anew.
            The report says where a model cannot be captured; it then runs as it is.

    Raises:
        UnknownModelError: it is no model, or one that does another task.
        SegmenterError: the model cannot be run on an image alone or returns no scores of classes;
            the segmenter cannot be copied, its weights are not there, or it has nothing to adapt.
        InputError: no propagator has that name, and nothing is imported or loaded to find out; or
            a wrong `color` or `value_range`; a processor that cannot be used, or one for a
            segmenter, which prepares images itself.
        ConfigError: nothing is learned, and training is configured; or another kind of object.

    Example:
        >>> video_model = wrap(my_model)                          # doctest: +SKIP
        >>> report = video_model.adapt(frames[:8])                # doctest: +SKIP
        >>> labels = [video_model(frame) for frame in frames[8:]] # doctest: +SKIP
    """
    for name, value, kind in (("config", config, AdaptConfig), ("cache", cache, CacheBudget)):
        if not isinstance(value, kind | None):
            raise ConfigError(
                f"{name} is {value!r}; expected {kind.__name__}(...), or nothing for the default."
            )
    return VideoSegmenter(
        find_segmenter(model, processor=processor, threshold=threshold),
        propagator=propagator,
        config=config or AdaptConfig(),
        target_builder=target_builder,
        cache=cache,
        layout=FrameFormat(color, value_range),
        compile=compile,
    )
