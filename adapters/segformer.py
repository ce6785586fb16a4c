"""SegFormer of transformers as a segmenter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ditta_adapt import HookedSegmenter, InputError
from ditta_adapt.models import unwrap

if TYPE_CHECKING:
    from transformers import SegformerForSemanticSegmentation


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

    Raises:
        InputError: `model` is not a SegFormer with a decode head, or `settings` are unusable.
    """

    def __init__(
        self,
        model: "SegformerForSemanticSegmentation",
        *,
        processor: Any = None,
        settings: Mapping[str, Any] | None = None,
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
        )
