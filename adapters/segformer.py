"""SegFormer of transformers as a segmenter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt import InputError, SegmenterOutput, ShapeError
from ditta_adapt.adapters._transformers_settings import settings_of
from ditta_adapt.models import (
    DEFAULT_SETTINGS,
    caught_inputs,
    fixed_input_size,
    rescale_and_normalise,
    unwrap,
)

if TYPE_CHECKING:
    from transformers import SegformerForSemanticSegmentation

# The encoder reduces 32-fold; a smaller image has no cell left in its last stage.
_MIN_SIDE = 32


class SegformerSegmenter:
    """`transformers.SegformerForSemanticSegmentation`, split at its decode head.

    The encoder is frozen; the all-MLP decode head is adapted. Features are the fused feature map
    before dropout, logits the classifier's output, both on a grid of a quarter of the input.

    Args:
        model: the model; kept as `.model`, without what is wrapped around it (`DataParallel`
            and the like).
        settings: preprocessor settings, the content of `preprocessor_config.json`: `do_resize`
            and `size`, `do_rescale` and `rescale_factor`, `do_normalize`, `image_mean`,
            `image_std`. By default they are read from where the model was loaded from (a folder,
            or the local hub cache); a model that was not loaded from anywhere gets ImageNet
            normalisation and no resizing.

    Raises:
        InputError: `model` is not a SegFormer with a decode head, or `settings` are unusable.
    """

    def __init__(
        self,
        model: "SegformerForSemanticSegmentation",
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        model = unwrap(model)
        for part in ("segformer", "decode_head", "config"):
            if not hasattr(model, part):
                raise InputError(
                    f"{type(model).__name__} has no {part}; expected a "
                    "SegformerForSemanticSegmentation (a SegformerModel has no decode head)."
                )
        self.model = model
        found = settings_of(model) if settings is None else settings
        self.settings: dict[str, Any] = {**DEFAULT_SETTINGS, **found}
        self._size = fixed_input_size(self.settings) if self.settings["do_resize"] else None

    @property
    def num_classes(self) -> int:
        """Number of classes `C`."""
        return self.model.decode_head.classifier.out_channels

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        return self.model.decode_head.classifier.in_channels

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Resize, rescale and normalise as the model's own settings say.

        Raises:
            ShapeError: the image is smaller than 32 pixels on a side.
        """
        images = frames.float()
        if self._size is not None:
            images = F.interpolate(images, self._size, mode="bilinear", antialias=True)
        if min(images.shape[2:]) < _MIN_SIDE:
            raise ShapeError(
                f"the image is {tuple(images.shape[2:])} (H, W); SegFormer needs at least "
                f"{_MIN_SIDE} pixels on each side. Enlarge the frames."
            )
        return rescale_and_normalise(images, self.settings).to(self.model.dtype)

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> tuple[Tensor, ...]:
        """The hidden states of all encoder stages."""
        outputs = self.model.segformer(images, output_hidden_states=True, return_dict=True)
        return tuple(outputs.hidden_states)

    def decode(self, encoded: tuple[Tensor, ...]) -> SegmenterOutput:
        """Run the decode head; what enters its dropout are the features."""
        head = self.model.decode_head
        with caught_inputs(head.dropout) as caught:
            logits = head(encoded)
        return SegmenterOutput(features=caught[0], logits=logits)

    def reference(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h w"]:
        """Logits of the model's own forward pass."""
        logits: Tensor = self.model(images).logits
        return logits

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """The decode head."""
        return {"decode_head": self.model.decode_head}
