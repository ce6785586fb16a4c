"""How a model wants its images: from the processor it is used with, or from what it carries."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from ditta_adapt.errors import InputError
from ditta_adapt.io.optional import require
from ditta_adapt.models.image_function import ImageFunction
from ditta_adapt.models.named_modules import named_modules
from ditta_adapt.models.preprocessing import Preprocessing

NOTHING_SAID = "ImageNet's normalisation, since neither model nor processor says otherwise"
"""The source of the preprocessing of a model that carries none."""


# Image processors that do not normalise do not write that they do not.
_AS_WRITTEN = {"do_normalize": False}


def preprocessing_for(model: nn.Module, processor: Any = None) -> Preprocessing | ImageFunction:
    """How frames become what a model takes.

    From the processor if there is one: an image processor of transformers or a processor that
    has one, its settings, the `transforms()` of torchvision's weights, `get_preprocessing_fn` or
    `get_preprocessing_params` of segmentation-models-pytorch, or any function of an image. Else
    from what the model carries: the `preprocessor_config.json` beside its weights (transformers),
    a `data_preprocessor` (mmsegmentation), a `pretrained_cfg` (timm). Else ImageNet's.

    Args:
        model: the image model.
        processor: what its user prepares images with.

    Raises:
        InputError: the processor is none, or its settings cannot be used.
        MissingDependencyError: transformers is not installed.
    """
    if processor is not None:
        return of_processor(processor)
    return carried_preprocessing(model)


def carried_preprocessing(model: nn.Module) -> Preprocessing:
    """What the model itself says, else ImageNet's; see `preprocessing_for`."""
    found = _beside_weights(model) or _of_data_preprocessor(model) or _of_timm(model)
    return found or Preprocessing({}, NOTHING_SAID)


def of_processor(processor: Any) -> Preprocessing | ImageFunction:
    """What the processor says; see `preprocessing_for`.

    Raises:
        InputError: it is none, or its settings cannot be used.
    """
    source = f"as {type(processor).__name__} says"
    # A processor of text and images has one of images.
    processor = getattr(processor, "image_processor", processor)
    if hasattr(processor, "to_dict") and hasattr(processor, "do_normalize"):
        return Preprocessing(_AS_WRITTEN | processor.to_dict(), source)
    if isinstance(processor, Mapping):
        return Preprocessing(_of_smp(processor), "as its settings say")
    if isinstance(processor, functools.partial) and not processor.args:
        if {"mean", "std", "input_range"} <= set(processor.keywords):
            return Preprocessing(_of_smp(processor.keywords), "as the function given says")
        if processor.func.__module__.startswith("torchvision"):
            processor = processor()
    if {"resize_size", "mean", "std", "interpolation"} <= set(dir(processor)):
        return Preprocessing(_of_torchvision(processor), f"as {type(processor).__name__} says")
    if callable(processor):
        return ImageFunction.of(processor)
    raise InputError(
        f"processor is a {type(processor).__name__}; expected an image processor of transformers, "
        "transforms of torchvision or albumentations, settings as of preprocessor_config.json, or "
        "a function from an (H, W, 3) uint8 RGB array to a (3, H, W) tensor."
    )


def _of_smp(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of segmentation-models-pytorch in transformers' terms; others as they are."""
    if not {"mean", "std"} <= set(settings):
        return settings
    scale = max(settings.get("input_range") or (0, 1))
    swapped = settings.get("input_space") == "BGR"
    # Both are in the order of the model's own channels.
    order = -1 if swapped else 1
    return {
        "rescale_factor": scale / 255,
        "image_mean": list(settings["mean"])[::order],
        "image_std": list(settings["std"])[::order],
        "do_flip_channel_order": swapped,
    }


def _of_torchvision(transforms: Any) -> Mapping[str, Any]:
    filters = {"nearest": 0, "bilinear": 2, "bicubic": 3}
    name = getattr(transforms.interpolation, "value", transforms.interpolation)
    size: Sequence[int] | None = transforms.resize_size
    settings = {"image_mean": transforms.mean, "image_std": transforms.std}
    if size is None:
        return settings
    edges = {"shortest_edge": size[0]}
    if len(size) == 2:
        edges = {"height": size[0], "width": size[1]}
    resize = {"do_resize": True, "size": edges, "resample": filters.get(name, name)}
    return settings | resize | {"resize_in_float": True}


def settings_beside_weights(model: Any) -> Mapping[str, Any] | None:
    """The `preprocessor_config.json` of where a model of transformers was loaded from.

    A folder, or the local hub cache; none where the model was not loaded from anywhere, or no such
    file lies beside its weights.

    Raises:
        MissingDependencyError: transformers is not installed.
    """
    source = getattr(model, "name_or_path", "")
    if not source or not isinstance(source, str):
        return None
    mixin = require("transformers.image_processing_base").ImageProcessingMixin
    try:
        settings, _ = mixin.get_image_processor_dict(source, local_files_only=True)
    # No settings beside the weights.
    except (OSError, ValueError):
        return None
    return dict(settings)


def _beside_weights(model: Any) -> Preprocessing | None:
    settings = settings_beside_weights(model)
    if settings is None:
        return None
    return Preprocessing(
        {**_AS_WRITTEN, **settings}, "as preprocessor_config.json beside the weights says"
    )


def _of_data_preprocessor(model: Any) -> Preprocessing | None:
    """Of a model of mmsegmentation, whose images are read as BGR."""
    settings: Any = getattr(model, "data_preprocessor", None)
    if not hasattr(settings, "channel_conversion"):
        return None
    source = "as the model's data_preprocessor says"
    swapped = {"do_rescale": False, "do_flip_channel_order": not settings.channel_conversion}
    if not hasattr(settings, "mean"):
        return Preprocessing({**swapped, "do_normalize": False}, source)
    # Both are in the order of the model's own channels.
    order = 1 if settings.channel_conversion else -1
    mean, std = (getattr(settings, name).flatten().tolist()[::order] for name in ("mean", "std"))
    return Preprocessing({**swapped, "image_mean": mean, "image_std": std}, source)


def _of_timm(model: nn.Module) -> Preprocessing | None:
    for name, module in named_modules(model).items():
        config = getattr(module, "pretrained_cfg", None)
        if isinstance(config, Mapping) and {"mean", "std"} <= set(config):
            settings = {"image_mean": config["mean"], "image_std": config["std"]}
            return Preprocessing(settings, f"as pretrained_cfg of {name or 'the model'} says")
    return None
