"""SAM2 as what is trained on one video, by its modules: its own sessions carry no gradients."""

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, UInt8
from torch import Tensor, nn

from ditta_adapt import InputError
from ditta_adapt.adapters._sam2_input import square_image
from ditta_adapt.adapters.sam2_transformers.head import mask_head
from ditta_adapt.teachers import aggregation_logits
from ditta_adapt.teachers.test_time import Objective

_LEAST = 1e-4
"""That a soft mask is from 0 and 1 where it is remembered as a logit: SAM2's own are at 10."""


class Sam2Features(NamedTuple):
    """Of a frame: features, finest first, `(h * w, 1, D)`, and the places of the coarsest."""

    levels: list[Tensor]
    places: Tensor


class Sam2Value(NamedTuple):
    """Of a frame and its masks: memory and its places `(h * w, K, D)`, and pointers `(K, D)`."""

    memory: Tensor
    places: Tensor
    pointers: Tensor


class Sam2InTraining(nn.Module):
    """A copy of a `Sam2VideoModel`, as a `TrainableNetwork`.

    It differs from a session in what training needs: masks are remembered as they are and not
    rounded, and an object counts as there even where the model doubts it, or there would be no
    gradient.

    Args:
        model: stays as it is.

    Raises:
        InputError: the memory of this kind of model is not known here.
    """

    learning_rate = 1e-5

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if type(model).__name__ != "Sam2VideoModel":
            raise InputError(f"a {type(model).__name__} cannot be trained; a Sam2VideoModel can.")
        self.model: Any = copy.deepcopy(model).float().eval().requires_grad_()

    @property
    def result(self) -> Any:
        """A copy of what was learned so far."""
        model = copy.deepcopy(self.model)
        return model.requires_grad_(False)

    def prepare(self, frame: UInt8[Tensor, "3 H W"]) -> UInt8[Tensor, "3 H W"]:
        """See `TrainableNetwork`. All of the model is trained, so the frame itself."""
        return frame

    def encode_frame(self, prepared: UInt8[Tensor, "3 H W"]) -> Sam2Features:
        """See `TrainableNetwork`."""
        image = square_image(prepared.to(self.model.device), self.model.config.image_size)
        found = self.model.get_image_features(image, return_dict=True)
        return Sam2Features(list(found.fpn_hidden_states), found.fpn_position_encoding[-1])

    def encode_memory(self, features: Sam2Features, masks: Float[Tensor, "K h w"]) -> Sam2Value:
        """See `MaskNetwork`. Objects do not see one another."""
        *finer, coarse = self._maps(features, len(masks))
        pointers = mask_head(self.model, coarse, finer, masks[:, None]).pointer[:, 0]
        memory, places = self.model._encode_new_memory(
            current_vision_feats=features.levels[-1].expand(-1, len(masks), -1),
            pred_masks_high_res=masks[:, None].clamp(_LEAST, 1 - _LEAST).logit(),
            object_score_logits=masks.new_ones(len(masks), 1, 1),
            is_mask_from_pts=False,
        )
        return Sam2Value(memory, places, pointers)

    def read(
        self, features: Sam2Features, memory: Sequence[tuple[Sam2Features, Sam2Value]]
    ) -> Float[Tensor, "K1 h w"]:
        """See `MaskNetwork`. The first frame counts as the prompted one, others as just seen."""
        values = [value for _, value in memory]
        count = len(values[0].pointers)
        remembered = self._with_memory(features, values, count)
        *finer, _ = self._maps(features, count)
        masks = mask_head(self.model, remembered, finer).masks
        large = F.interpolate(masks, 2 * (self.model.config.image_size,), mode="bilinear")
        return aggregation_logits(large[:, 0].sigmoid())

    def on_grid(self, masks: Bool[Tensor, "K H W"]) -> Float[Tensor, "K h w"]:
        """See `TrainableNetwork`."""
        shares = masks[None].to(self.model.device, torch.float32)
        return F.interpolate(shares, 2 * (self.model.config.image_size,), mode="area")[0]

    def trained_by(self, objective: Objective) -> list[nn.Parameter]:
        """See `TrainableNetwork`. Entropy trains the affine part of layer normalisation only.

        Its decoder is never shown a memory without attention, so there is no auto-encoder.
        """
        if objective == "mask_autoencoder":
            return []
        if objective == "mask_cycle":
            return list(self.model.parameters())
        layers = [each for each in self.model.modules() if isinstance(each, nn.LayerNorm)]
        return [parameter for layer in layers for parameter in layer.parameters()]

    def _with_memory(
        self, features: Sam2Features, values: Sequence[Sam2Value], count: int
    ) -> Float[Tensor, "K D h w"]:
        """The coarsest features after they have attended to what is remembered."""
        model, current = self.model, features.levels[-1].expand(-1, count, -1)
        age = [0, *range(len(values) - 1, 0, -1)]
        stored = [
            {"maskmem_features": each.memory.to(current), "maskmem_pos_enc": each.places}
            for each in values
        ]
        memories, places = model._build_memory_attention_inputs(
            list(zip(age, stored, strict=True)), current.device
        )
        pointers, pointer_places = model._process_object_pointers(
            [len(values), *age[1:]],
            [each.pointers for each in values],
            model.config.max_object_pointers_in_encoder,
            count,
            model.hidden_dim,
            current.device,
        )
        attended = model.memory_attention(
            current_vision_features=current,
            current_vision_position_embeddings=features.places.expand(-1, count, -1),
            memory=torch.cat([*memories, pointers]),
            memory_posision_embeddings=torch.cat([*places, pointer_places]),
            num_object_pointer_tokens=len(pointers),
        )
        size = model.backbone_feature_sizes[-1]
        result: Tensor = attended[0].transpose(1, 2).unflatten(2, size)
        return result

    def _maps(self, features: Sam2Features, count: int) -> list[Tensor]:
        """Features as `(K, D, h, w)`, finest first."""
        sizes = self.model.backbone_feature_sizes
        return [
            level.permute(1, 2, 0).reshape(1, -1, *size).expand(count, -1, -1, -1)
            for level, size in zip(features.levels, sizes, strict=True)
        ]
