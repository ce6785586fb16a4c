"""Preprocessor settings that lie beside the weights of a model of transformers."""

from collections.abc import Mapping
from typing import Any

from ditta_adapt.io import require


def settings_of(model: Any) -> Mapping[str, Any]:
    """The `preprocessor_config.json` beside a model's weights (a folder, or the local hub cache).

    Empty where the model was not loaded from anywhere, or no settings lie beside the weights.

    Raises:
        MissingDependencyError: transformers is not installed.
    """
    source = getattr(model, "name_or_path", "")
    if not source:
        return {}
    mixin = require("transformers.image_processing_base").ImageProcessingMixin
    try:
        settings, _ = mixin.get_image_processor_dict(source, local_files_only=True)
    except (OSError, ValueError):
        # No settings beside the weights: the defaults are what such checkpoints are trained with.
        return {}
    return dict(settings)
