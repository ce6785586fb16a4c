"""SegFormer of transformers as a segmenter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxtyping import Float, UInt8
from torch import Tensor

from ditta_adapt import HookedSegmenter, InputError, ShapeError
from ditta_adapt.models import unwrap

if TYPE_CHECKING:
    from transformers import SegformerForSemanticSegmentation

# The encoder reduces 32-fold; a smaller image has no cell left in its last stage.
_MIN_SIDE = 32


class SegformerSegmenter(HookedSegmenter):
    """`transformers.SegformerForSemanticSegmentation`, split at its decode head.

    The encoder is frozen; the all-MLP decode head is adapted. Features are the fused feature map
    that enters the classifier, logits its output, both on a grid of a quarter of the input.

    Args:
        model: the model; kept as `.model`, without what is wrapped around it (`DataParallel`
            and the like).
        processor: what images are prepared with, see `wrap`. By default the
            `preprocessor_config.json` of where the model was loaded from (a folder, or the local
            hub cache); a model that was not loaded from anywhere gets ImageNet normalisation and
            no resizing.
        settings: preprocessor settings, the content of such a file, in place of a processor.
        threshold: probability above which a pixel is of the class, of a model with a single one.

    Raises:
        InputError: `model` is not a SegFormer with a decode head, or `settings` are unusable.
    """

    def __init__(
        self,
        model: "SegformerForSemanticSegmentation",
        *,
        processor: Any = None,
        settings: Mapping[str, Any] | None = None,
        threshold: float = 0.5,
    ) -> None:
        model = unwrap(model)
        for part in ("segformer", "decode_head", "config"):
            if not hasattr(model, part):
                raise InputError(
                    f"{type(model).__name__} has no {part}; expected a "
                    "SegformerForSemanticSegmentation (a SegformerModel has no decode head)."
                )
        super().__init__(
            model,
            decoder="decode_head",
            features="input:decode_head.classifier",
            processor=processor if settings is None else settings,
            threshold=threshold,
        )

    def preprocess(
        self, frames: UInt8[Tensor, "B 3 H W"], *, scale: float = 1.0
    ) -> Float[Tensor, "B 3 H2 W2"]:
        """See `HookedSegmenter.preprocess`.

        Raises:
            ShapeError: the image is smaller than 32 pixels on a side.
        """
        images = super().preprocess(frames, scale=scale)
        if min(images.shape[2:]) < _MIN_SIDE:
            raise ShapeError(
                f"the image is {tuple(images.shape[2:])} (H, W); SegFormer needs at least "
                f"{_MIN_SIDE} pixels on each side. Enlarge the frames."
            )
        return images
