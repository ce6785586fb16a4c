"""Features of a backbone of transformers, such as DINOv2, for matching."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt.errors import MissingDependencyError, PropagationError
from ditta_adapt.io.optional import require
from ditta_adapt.io.quiet import no_loading_bars
from ditta_adapt.models.carried import carried_preprocessing
from ditta_adapt.models.preprocessing import rescale_and_normalise

LONGER_SIDE = 512
"""Of a frame as the backbone sees it, at most."""
_STRIDES = 32
"""Of the coarsest stage of a hierarchical backbone: sides are multiples of it."""
_COARSEST = 16


class BackboneFeatures:
    """A `FeatureNetwork` from the model hub, or a folder; loaded when it is first asked.

    Of a hierarchical backbone, such as ResNet or Swin, the stages of strides 4 to 16; of a plain
    one, such as DINOv2, its last layer.

    Args:
        checkpoint: hub id or folder of what `transformers.AutoBackbone` loads.
    """

    def __init__(self, checkpoint: str) -> None:
        self.checkpoint = checkpoint
        self._model: Any = None

    def __call__(self, frame: UInt8[Tensor, "3 H W"]) -> list[Float[Tensor, "1 D h w"]]:
        """See `FeatureNetwork`.

        Raises:
            MissingDependencyError: transformers is not installed.
            PropagationError: the checkpoint cannot be reached, or is of no backbone.
        """
        if self._model is None:
            self._model = self._load()
        model, size = self._model, (frame.shape[1], frame.shape[2])
        step = _STRIDES if hasattr(model.config, "depths") else model.config.patch_size
        scale = min(1.0, LONGER_SIDE / max(size))
        height, width = (max(round(side * scale / step), 1) * step for side in size)
        image = frame[None].to(model.device, torch.float32)
        image = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
        with torch.no_grad():
            maps = model(
                rescale_and_normalise(image, carried_preprocessing(model).settings)
            ).feature_maps
        fine = [each for each in maps if round(width / each.shape[3]) <= _COARSEST]
        return fine or list(maps[-1:])

    def _load(self) -> Any:
        transformers = require("transformers")
        try:
            with no_loading_bars():
                config = transformers.AutoConfig.from_pretrained(self.checkpoint)
                if hasattr(config, "depths"):
                    config.out_features = config.stage_names[1:]
                # Its own from_pretrained takes no folder.
                with torch.device("meta"):
                    kind = type(transformers.AutoBackbone.from_config(config))
                model = kind.from_pretrained(self.checkpoint, config=config, dtype=torch.float32)
        except ImportError as error:
            raise MissingDependencyError(
                f"{self.checkpoint} needs more to be installed: {error}"
            ) from error
        except (OSError, ValueError, AttributeError, RuntimeError) as error:
            raise PropagationError(
                f"{self.checkpoint!r} could not be loaded as a backbone: {error} Check the name "
                "and the network, or download it elsewhere and name the folder."
            ) from error
        return model.to("cuda" if torch.cuda.is_available() else "cpu").eval()
