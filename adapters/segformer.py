"""SegFormer of transformers as a segmenter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt import InputError, MissingDependencyError, SegmenterOutput, ShapeError

if TYPE_CHECKING:
    from transformers import SegformerForSemanticSegmentation

# What SegFormer checkpoints are trained with; used where a model comes without settings.
_DEFAULT_SETTINGS = {
    "do_resize": False,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": (0.485, 0.456, 0.406),
    "image_std": (0.229, 0.224, 0.225),
}
# The encoder reduces 32-fold; a smaller image has no cell left in its last stage.
_MIN_SIDE = 32


class SegformerSegmenter:
    """`transformers.SegformerForSemanticSegmentation`, split at its decode head.

    The encoder is frozen; the all-MLP decode head is adapted. Features are the fused feature map
    before dropout, logits the classifier's output, both on a grid of a quarter of the input.

    Args:
        model: the model; kept as `.model`.
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
        for part in ("segformer", "decode_head", "config"):
            if not hasattr(model, part):
                raise InputError(
                    f"{type(model).__name__} has no {part}; expected a "
                    "SegformerForSemanticSegmentation (a SegformerModel has no decode head)."
                )
        self.model = model
        found = _settings_of(model) if settings is None else settings
        self.settings: dict[str, Any] = {**_DEFAULT_SETTINGS, **found}
        self._size = _size_of(self.settings) if self.settings["do_resize"] else None

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
        if self.settings["do_rescale"]:
            images = images * self.settings["rescale_factor"]
        if self.settings["do_normalize"]:
            mean, std = (
                images.new_tensor(self.settings[key]).view(3, 1, 1)
                for key in ("image_mean", "image_std")
            )
            images = (images - mean) / std
        return images.to(self.model.dtype)

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> tuple[Tensor, ...]:
        """The hidden states of all encoder stages."""
        outputs = self.model.segformer(images, output_hidden_states=True, return_dict=True)
        return tuple(outputs.hidden_states)

    def decode(self, encoded: tuple[Tensor, ...]) -> SegmenterOutput:
        """Run the decode head; what enters its dropout are the features."""
        caught: list[Tensor] = []
        head = self.model.decode_head
        handle = head.dropout.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
        try:
            logits = head(encoded)
        finally:
            handle.remove()
        return SegmenterOutput(features=caught[0], logits=logits)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """The decode head."""
        return {"decode_head": self.model.decode_head}


def _settings_of(model: Any) -> Mapping[str, Any]:
    source = getattr(model, "name_or_path", "")
    if not source:
        return {}
    try:
        from transformers.image_processing_base import ImageProcessingMixin
    except ImportError as error:
        raise MissingDependencyError.for_extra("transformers", "hf") from error
    try:
        settings, _ = ImageProcessingMixin.get_image_processor_dict(source, local_files_only=True)
    except (OSError, ValueError):
        # No settings beside the weights: the defaults are what such checkpoints are trained with.
        return {}
    return dict(settings)


def _size_of(settings: Mapping[str, Any]) -> tuple[int, int]:
    size = settings.get("size")
    if isinstance(size, int):
        return size, size
    if isinstance(size, Mapping) and {"height", "width"} <= set(size):
        return int(size["height"]), int(size["width"])
    raise InputError(
        f"settings ask to resize to size = {size!r}; expected an int or a mapping with height and "
        "width, or do_resize = False."
    )
