"""SAM2-like video models of transformers: which ones, and how to get one."""

import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from ditta_adapt import InputError, MissingDependencyError, PropagationError
from ditta_adapt.io import no_loading_bars, require

# The inference session of each video model.
_RUN_CLASSES = {
    "Sam2VideoModel": "Sam2VideoInferenceSession",
    "EdgeTamVideoModel": "EdgeTamVideoInferenceSession",
}


def check_given(model: Any) -> None:
    """Check a model that a user built, in the name of the caller's caller.

    Raises:
        InputError: not a video model, or input sizes that contradict one another.

    Warns:
        UserWarning: it was not loaded from anywhere.
    """
    _check(model)
    if not model.name_or_path:
        warnings.warn(
            f"the {type(model).__name__} was not loaded by from_pretrained. If its weights are "
            "random, so are the masks: pass checkpoint= instead.",
            stacklevel=3,
        )


def load_model(checkpoint: str | Path, device: torch.device | str | None) -> Any:
    """Load a video model in float32, by default onto the GPU if there is one.

    Raises:
        MissingDependencyError: transformers, or what the checkpoint needs, is not installed.
        PropagationError: it cannot be reached, or does not fill the model.
        InputError: it is of another kind of model.
    """
    transformers = require("transformers")
    try:
        with no_loading_bars():
            model, info = transformers.AutoModel.from_pretrained(
                checkpoint, dtype=torch.float32, output_loading_info=True
            )
    except ImportError as error:
        raise MissingDependencyError(f"{checkpoint} needs more to be installed: {error}") from error
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise PropagationError(
            f"{str(checkpoint)!r} could not be loaded: {error} Check the name and the "
            "network, or download it elsewhere and pass the folder as checkpoint=."
        ) from error
    _check(model)
    missing = sorted(set(info["missing_keys"]) & {name for name, _ in model.named_parameters()})
    if missing:
        raise PropagationError(
            f"{str(checkpoint)!r} lacks {len(missing)} weights, such as {missing[0]}; "
            f"they would be random. Expected a checkpoint of {type(model).__name__}."
        )
    return model.to(device or ("cuda" if torch.cuda.is_available() else "cpu"))


def run_class_of(model: Any) -> Any:
    """The class of the model's inference sessions."""
    return getattr(require("transformers"), _RUN_CLASSES[_name(model)])


def _name(model: Any) -> str:
    names = [base.__name__ for base in type(model).__mro__ if base.__name__ in _RUN_CLASSES]
    if not names:
        raise InputError(
            f"got a {type(model).__name__}; expected one of {', '.join(_RUN_CLASSES)} of "
            "transformers. A hub id or a folder goes to checkpoint=."
        )
    return names[0]


def _check(model: Any) -> None:
    _name(model)
    config = model.config
    side = config.image_size
    # Set apart from one another in the configuration, and some disagreements stay silent.
    levels = config.vision_config.backbone_feature_sizes
    found = {
        "prompt_encoder_config.image_size": config.prompt_encoder_config.image_size,
        "vision_config.backbone_feature_sizes": [list(level) for level in levels],
        "memory_attention_rope_feat_sizes": list(config.memory_attention_rope_feat_sizes),
    }
    expected = (side, [[side // step] * 2 for step in (4, 8, 16)], [side // 16] * 2)
    for (name, value), fitting in zip(found.items(), expected, strict=True):
        if value != fitting:
            raise InputError(
                f"the model's image_size is {side} but {name} is {value}; expected {fitting}."
            )
