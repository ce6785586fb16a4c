"""The small SegFormer that ships with the package, trained on procedural scenes alone."""

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file

from ditta_adapt.demo.scenes import PALETTE
from ditta_adapt.io.optional import require

if TYPE_CHECKING:
    from transformers import SegformerForSemanticSegmentation

WEIGHTS_DIR: Path = Path(__file__).parent / "weights"
"""The shipped folder: config, weights, preprocessor settings and a model card."""


def load_demo_model() -> "SegformerForSemanticSegmentation":
    """Load the demo model from the files in the package, without any download.

    Its logits are float32, `(B, 9, ceil(H / 4), ceil(W / 4))`, over the classes of
    `ditta_adapt.demo.scenes.CLASS_NAMES`; images are normalised as the preprocessor settings say.

    Returns:
        A new model of transformers' own class, float32, on the CPU, in eval mode.

    Raises:
        MissingDependencyError: transformers is not installed.
    """
    transformers = require("transformers")
    config = transformers.SegformerConfig.from_pretrained(WEIGHTS_DIR)
    model: SegformerForSemanticSegmentation = transformers.SegformerForSemanticSegmentation(config)
    # The file holds float16 to stay small; copying into the float32 model converts.
    model.load_state_dict(load_file(WEIGHTS_DIR / "model.safetensors"))
    # As transformers' own loading does: by it the adapter finds the preprocessor settings.
    model.name_or_path = str(WEIGHTS_DIR)
    # Its colours, for those who show labels.
    model.palette = PALETTE.tolist()
    model.train(False)
    return model
