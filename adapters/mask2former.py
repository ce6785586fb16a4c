"""Mask2Former and MaskFormer of transformers as segmenters."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ditta_adapt import InputError, SegmenterOutput
from ditta_adapt.adapters._transformers_settings import settings_of
from ditta_adapt.models import DEFAULT_SETTINGS, input_size, rescale_and_normalise, unwrap

if TYPE_CHECKING:
    from transformers import (
        Mask2FormerForUniversalSegmentation,
        MaskFormerForInstanceSegmentation,
    )

# A class below this share of a pixel's total gets it: nothing as a probability, and far enough
# from the smallest float32 that gradients summed over an image stay finite.
_FLOOR = 1e-30


class Mask2FormerSegmenter:
    """`Mask2FormerForUniversalSegmentation` or `MaskFormerForInstanceSegmentation`.

    The backbone is frozen; pixel decoder, transformer decoder and the two heads are adapted.
    Features are the pixel decoder's mask features; logits are `semantic_log_scores`, on the same
    grid (a quarter of the input). "No object" is not a class.

    Args:
        model: the model; kept as `.model`, without what is wrapped around it (`DataParallel`
            and the like).
        settings: preprocessor settings, the content of `preprocessor_config.json`: `do_resize`,
            `size` (height and width, or shortest_edge and longest_edge) and `size_divisor`,
            `do_rescale` and `rescale_factor`, `do_normalize`, `image_mean`, `image_std`. By
            default they are read from where the model was loaded from; a model that was not
            loaded from anywhere gets ImageNet normalisation and no resizing. Resizing is
            bilinear and anti-aliased; `resample` is not read.

    Raises:
        InputError: `model` is of another kind, or `settings` are unusable.
    """

    def __init__(
        self,
        model: Union["Mask2FormerForUniversalSegmentation", "MaskFormerForInstanceSegmentation"],
        *,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        model = unwrap(model)
        inner = getattr(model, "model", None)
        # OneFormer has the first two and a task encoder, without which its queries mean nothing.
        if not (
            hasattr(inner, "pixel_level_module")
            and hasattr(model, "class_predictor")
            and not hasattr(inner, "task_encoder")
        ):
            raise InputError(
                f"{type(model).__name__} cannot be split as a Mask2Former; expected a "
                "Mask2FormerForUniversalSegmentation or a MaskFormerForInstanceSegmentation."
            )
        self.model: Any = model
        found = settings_of(model) if settings is None else settings
        self.settings: dict[str, Any] = {**DEFAULT_SETTINGS, "size_divisor": 32, **found}
        if self.settings["do_resize"]:
            input_size(self.settings, 1, 1)  # Raises for unusable settings now, not later.

    @property
    def num_classes(self) -> int:
        """Number of classes `C`, without "no object"."""
        return int(self.model.class_predictor.out_features) - 1

    @property
    def feature_dim(self) -> int:
        """Number of feature channels `D`."""
        return int(self.model.model.pixel_level_module.decoder.mask_projection.out_channels)

    def preprocess(self, frames: UInt8[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H2 W2"]:
        """Resize, rescale and normalise as the model's own settings say."""
        images = frames.float()
        if self.settings["do_resize"]:
            size = input_size(self.settings, *images.shape[2:])
            images = F.interpolate(images, size, mode="bilinear", antialias=True)
        return rescale_and_normalise(images, self.settings).to(self.model.dtype)

    def encode(self, images: Float[Tensor, "B 3 H2 W2"]) -> tuple[Tensor, ...]:
        """The feature maps of the backbone."""
        return tuple(self.model.model.pixel_level_module.encoder(images).feature_maps)

    def decode(self, encoded: tuple[Tensor, ...]) -> SegmenterOutput:
        """Pixel decoder, transformer decoder, heads; the last layer's queries give the logits."""
        model, inner = self.model, self.model.model
        pixels = inner.pixel_level_module.decoder(encoded)
        if hasattr(model, "mask_embedder"):  # MaskFormer
            features = pixels.last_hidden_state
            queries = inner.transformer_module(encoded[-1], return_dict=True).last_hidden_state
            masks = torch.einsum("bqd,bdhw->bqhw", model.mask_embedder(queries), features)
        else:
            features = pixels.mask_features
            output = inner.transformer_module(pixels.multi_scale_features, features)
            queries = output.intermediate_hidden_states[-1].transpose(0, 1)
            masks = output.masks_queries_logits[-1]
        logits = semantic_log_scores(model.class_predictor(queries), masks)
        return SegmenterOutput(features=features, logits=logits.to(features.dtype))

    def reference(self, images: Float[Tensor, "B 3 H2 W2"]) -> Float[Tensor, "B C h w"]:
        """Log-scores of the queries and masks of the model's own forward pass."""
        output = self.model(images)
        return semantic_log_scores(output.class_queries_logits, output.masks_queries_logits)

    def adaptable_modules(self) -> Mapping[str, nn.Module]:
        """Everything but the backbone."""
        inner = self.model.model
        modules = {
            "pixel_decoder": inner.pixel_level_module.decoder,
            "transformer": inner.transformer_module,
            "class_predictor": self.model.class_predictor,
        }
        if hasattr(self.model, "mask_embedder"):
            modules["mask_embedder"] = self.model.mask_embedder
        return modules


def semantic_log_scores(
    class_logits: Float[Tensor, "B Q C1"], mask_logits: Float[Tensor, "B Q h w"]
) -> Float[Tensor, "B C h w"]:
    """Logits whose softmax is the class distribution of queries with masks.

    `log(s / sum_c s)` with `s[c, x] = sum_q softmax(class_logits)[q, c] sigmoid(mask_logits)[q, x]`
    for all classes but the last, "no object". In float32 at least. Finite for any finite input,
    also where every query says "no object" or every mask is off: shares of less than 1e-30 are
    raised to it. A matrix product, so that no `(Q, C, h, w)` tensor is made.
    """
    dtype = torch.promote_types(class_logits.dtype, torch.float32)
    classes = class_logits.to(dtype).log_softmax(-1)[..., :-1]
    # Scaling a query's classes down and its mask up changes nothing, nor does scaling all scores
    # of a pixel: both are chosen so that the best class of each pixel has a score of at least 1.
    best = classes.detach().amax(-1)
    masks = F.logsigmoid(mask_logits.to(dtype)) + best[..., None, None]
    masks = masks - masks.detach().amax(1, keepdim=True)
    scores = torch.einsum("bqc,bqhw->bchw", (classes - best[..., None]).exp(), masks.exp())
    return scores.clamp_min(_FLOOR).log() - scores.sum(1, keepdim=True).log()
