"""Mask2Former and its relatives in transformers as segmenters."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ditta_adapt import HookedSegmenter, InputError
from ditta_adapt.adapters._oneformer_task import TaskTokens
from ditta_adapt.models import semantic_log_scores, settings_beside_weights, unwrap

__all__ = ["Mask2FormerSegmenter", "semantic_log_scores"]


class Mask2FormerSegmenter(HookedSegmenter):
    """A model of transformers with queries: which masks there are, and of what class each is.

    Mask2Former, MaskFormer, OneFormer, EoMT, EoMT-DINOv3 and VideoMT (as clips of one frame). The
    backbone is frozen; of those whose queries run through its last blocks, the blocks before.
    Features are the pixel features that queries are compared with; logits are
    `semantic_log_scores`, on the grid of the masks. "No object" is not a class.

    Args:
        model: the model; kept as `.model`, without what is wrapped around it (`DataParallel`
            and the like).
        processor: what images are prepared with, see `wrap`; of OneFormer with its tokenizer, from
            which the words "the task is semantic" come. By default the `preprocessor_config.json`,
            and the tokenizer, of where the model was loaded from; a model that was not loaded from
            anywhere gets ImageNet normalisation and no resizing.
        settings: preprocessor settings, the content of such a file, in place of a processor.

    Raises:
        InputError: `model` is of another kind, or `settings` are unusable; or a OneFormer without
            the tokens of its task.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        processor: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        own: Any = unwrap(model)
        frozen, features = _parts(own)
        call: Any = None
        if hasattr(getattr(own, "model", None), "task_encoder"):
            call = TaskTokens.of(own, processor)
        elif hasattr(own, "query_updater"):
            call = _as_clip
        elif hasattr(own, "mask_embedder") and own.config.use_auxiliary_loss:
            call = _with_hidden_states
        if processor is None:
            settings = settings_beside_weights(own) if settings is None else settings
        if settings is not None and hasattr(own, "model"):
            # The default of the image processors of this family.
            settings = {"size_divisor": 32, **settings}
        super().__init__(
            own,
            frozen=frozen,
            features=features,
            processor=processor if settings is None else settings,
            call=call,
        )


def _parts(model: Any) -> tuple[tuple[str, ...], str]:
    """The modules that are frozen, and the layer of the features."""
    inner = getattr(model, "model", None)
    if hasattr(inner, "pixel_level_module") and hasattr(inner, "transformer_module"):
        decoder = "model.pixel_level_module.decoder.mask_projection"
        return ("model.pixel_level_module.encoder",), decoder
    if hasattr(model, "upscale_block") and hasattr(getattr(model, "config", None), "num_blocks"):
        before = len(model.layers) - model.config.num_blocks
        return ("embeddings", *(f"layers.{i}" for i in range(before))), "upscale_block"
    raise InputError(
        f"{type(model).__name__} is no model of transformers with queries; expected a "
        "Mask2FormerForUniversalSegmentation, a MaskFormerForInstanceSegmentation, or one of "
        "OneFormer, EoMT and VideoMT."
    )


def _with_hidden_states(model: Any, images: Tensor) -> Any:
    """MaskFormer's auxiliary predictions are made of them, also where nobody asks for either."""
    return model(pixel_values=images, output_hidden_states=True)


def _as_clip(model: Any, images: Tensor) -> Any:
    return model(pixel_values_videos=images.unsqueeze(1))
