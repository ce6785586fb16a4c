"""The weights folder, as transformers reads it."""

import json
from pathlib import Path

from safetensors.torch import save_file
from transformers import SegformerForSemanticSegmentation

from ditta_adapt.models import IMAGENET_MEAN, IMAGENET_STD


def save(model: SegformerForSemanticSegmentation, out: Path) -> None:
    """Write config, float16 weights and preprocessing into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    model.config.architectures = ["SegformerForSemanticSegmentation"]
    (out / "config.json").write_text(model.config.to_json_string(), encoding="utf-8")
    state = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)
    preprocessing = {
        "image_processor_type": "SegformerImageProcessor",
        "do_resize": False,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(IMAGENET_MEAN),
        "image_std": list(IMAGENET_STD),
        "do_reduce_labels": False,
    }
    text = json.dumps(preprocessing, indent=2) + "\n"
    (out / "preprocessor_config.json").write_text(text, encoding="utf-8")
