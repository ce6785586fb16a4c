"""SAM2's way through a clip with gradients: the library's own methods for it run without."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import Sam2VideoModel


@dataclass(frozen=True)
class Prompts:
    """What is known of N objects on the first frame.

    Attributes:
        owner: `(N,)` int64, which clip of the batch each object is in.
        masks: `(N, S, S)` float in {0, 1}, the object on the first frame.
        points: `(N, 2)` float, a point (x, y) of the object in input pixels.
        clicked: `(N,)` bool, whether the point is shown to the model, else the mask.
    """

    owner: Tensor
    masks: Tensor
    points: Tensor
    clicked: Tensor


@dataclass(frozen=True)
class Tracked:
    """What the model says on one frame about N objects, with M candidate masks each.

    Attributes:
        logits: `(N, M, S/4, S/4)`.
        iou: `(N, M)`, its guess of each candidate's IoU.
        score: `(N,)` logit of the object being in sight.
    """

    logits: Tensor
    iou: Tensor
    score: Tensor

    def float(self) -> "Tracked":
        """The same in float32."""
        return Tracked(self.logits.float(), self.iou.float(), self.score.float())


@dataclass(frozen=True)
class Followed:
    """What the model says on a clip.

    Attributes:
        frames: one a frame, with one mask an object; on the first one, what a point gives.
        candidates: the three masks that a point on the first frame offers.
    """

    frames: list[Tracked]
    candidates: Tracked


@dataclass(frozen=True)
class _Frame:
    """Image features of one frame, one row an object."""

    fine: list[Tensor]
    coarse: Tensor


class ClipTracker:
    """Follows objects through a clip as the library does in inference, differentiably."""

    def __init__(self, model: Sam2VideoModel) -> None:
        self.model = model
        self.side = int(model.config.image_size)
        self._grid = self.side // 16

    def run(
        self,
        images: Tensor,
        prompts: Prompts,
        truth: Tensor | None = None,
        forcing: float = 0.0,
        forget: float = 0.0,
    ) -> Followed:
        """Follow objects from the first frame to the last.

        Args:
            images: `(B, T, 3, S, S)` normalised frames.
            prompts: of N objects.
            truth: `(N, T, S, S)` in {0, 1}; needed for `forcing`.
            forcing: probability that the memory of a frame is made of its true mask. It counts
                for a clicked first frame too: what is remembered of it stays for the whole clip.
            forget: probability that a frame is seen in the light of the first memory alone. The
                last one is so like the frame that no other is asked otherwise, and what was lost
                once is not found again.

        Returns:
            All objects are asked for by a point on the first frame, also those shown by a mask.
        """
        frames = self._encode(images, prompts.owner)
        first, candidates, memory, pointer = self._begin(frames[0], prompts, forcing)
        results, memories, pointers = [first], [(0, memory)], [(0, pointer)]
        for t in range(1, images.shape[1]):
            known = 1 if forget and float(torch.rand(())) < forget else t
            features = self._remember(frames[t], t, memories[:known], pointers[:known])
            result, tokens = self._decode(frames[t].fine, features, prompts.owner.shape[0])
            results.append(result)
            forced = torch.rand(len(tokens), device=tokens.device) < forcing
            seen = result.score > 0
            if truth is not None:
                seen = torch.where(forced, truth[:, t].flatten(1).any(1), seen)
            soft = self._full(result.logits[:, 0]).sigmoid() * (result.score > 0)[:, None, None]
            if truth is not None:
                soft = torch.where(forced[:, None, None], truth[:, t], soft)
            memories.append((t, self._memorise(frames[t].coarse, soft, seen)))
            pointers.append((t, self._pointer(tokens[:, 0], seen)))
        return Followed(results, candidates)

    def _encode(self, images: Tensor, owner: Tensor) -> list[_Frame]:
        batch, length = images.shape[:2]
        output = self.model.get_image_features(images.flatten(0, 1), return_dict=True)
        self._position = output.fpn_position_encoding[-1][:, :1]
        levels = []
        for level, stride in zip(output.fpn_hidden_states, (4, 8, 16), strict=True):
            size = self.side // stride
            maps = level.permute(1, 2, 0).unflatten(2, (size, size)).unflatten(0, (batch, length))
            levels.append(maps[owner])
        return [_Frame([levels[0][:, t], levels[1][:, t]], levels[2][:, t]) for t in range(length)]

    def _begin(
        self, frame: _Frame, prompts: Prompts, forcing: float
    ) -> tuple[Tracked, Tracked, Tensor, Tensor]:
        """The prompted frame: points go through the prompt encoder, masks are taken as they are."""
        model, clicked = self.model, prompts.clicked
        count, rows = len(clicked), torch.arange(len(clicked), device=clicked.device)
        at = prompts.points.view(-1, 1, 1, 2)
        point = model.prompt_encoder(at, torch.ones_like(at[..., 0]).int(), None, None)
        given = model.mask_downsample(prompts.masks[:, None])
        shown = model.prompt_encoder(at, -torch.ones_like(at[..., 0]).int(), None, given)
        # As in the library, only a clicked frame is told that there is no memory yet.
        bare = frame.coarse + model.no_memory_embedding.view(1, -1, 1, 1)
        single, token = self._decode(frame.fine, bare, count, *point)
        candidates, tokens = self._decode(frame.fine, bare, count, *point, multimask=True)
        chosen = candidates.iou.argmax(1)
        logits, token = single.logits[:, 0], token[:, 0]
        if model.config.multimask_max_pt_num > 0:
            logits, token = candidates.logits[rows, chosen], tokens[rows, chosen]
        own = clicked & (torch.rand(count, device=clicked.device) >= forcing)
        seen = torch.where(own, single.score > 0, True)
        predicted = (self._full(logits) > 0) & seen.view(-1, 1, 1)
        mask = torch.where(own.view(-1, 1, 1), predicted.float(), prompts.masks)
        # The library asks the score for the pointer, also of a mask.
        masked, tokens = self._decode(frame.fine, frame.coarse, count, *shown, multimask=True)
        token = torch.where(clicked[:, None], token, tokens[rows, masked.iou.argmax(1)])
        score = torch.where(clicked, single.score, masked.score)
        pointer = self._pointer(token, score > 0)
        return single, candidates, self._memorise(frame.coarse, mask, seen), pointer

    def _decode(
        self,
        fine: list[Tensor],
        coarse: Tensor,
        count: int,
        sparse: Tensor | None = None,
        dense: Tensor | None = None,
        multimask: bool = False,
    ) -> tuple[Tracked, Tensor]:
        model = self.model
        if sparse is None or dense is None:
            nowhere = coarse.new_zeros(count, 1, 1, 2)
            none = torch.full((count, 1, 1), -1, device=coarse.device)
            sparse, dense = model.prompt_encoder(nowhere, none, None, None)
        position = model.get_image_wide_positional_embeddings().expand(count, -1, -1, -1)
        logits, iou, tokens, score = model.mask_decoder(
            image_embeddings=coarse,
            image_positional_embeddings=position,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            high_resolution_features=fine,
        )
        return Tracked(logits[:, 0], iou[:, 0], score[:, 0, 0]), tokens[:, 0]

    def _remember(
        self,
        frame: _Frame,
        t: int,
        memories: list[tuple[int, Tensor]],
        pointers: list[tuple[int, Tensor]],
    ) -> Tensor:
        """Features of a frame in the light of the memories before it, `(N, C, h, w)`."""
        model, config = self.model, self.model.config
        kept = memories[:1] + memories[1:][-(config.num_maskmem - 1) :]
        size = (len(frame.coarse), config.memory_encoder_output_channels, self._grid, self._grid)
        encoding = model.memory_encoder.position_encoding(size, frame.coarse.device, torch.float32)
        encoding = encoding.flatten(2).permute(2, 0, 1)
        # Position 0, the prompted frame, has the last of the temporal encodings.
        places = [0 if s == 0 else t - s for s, _ in kept]
        values = [memory.flatten(2).permute(2, 0, 1) for _, memory in kept]
        keys = [encoding + model.memory_temporal_positional_encoding[p - 1] for p in places]
        most = config.max_object_pointers_in_encoder
        told = pointers[:1] + pointers[1:][-(most - 1) :]
        tokens, token_keys = model._process_object_pointers(
            [t - s for s, _ in told],
            [pointer for _, pointer in told],
            most,
            len(frame.coarse),
            model.hidden_dim,
            frame.coarse.device,
        )
        output = model.memory_attention(
            current_vision_features=frame.coarse.flatten(2).permute(2, 0, 1),
            current_vision_position_embeddings=self._position,
            memory=torch.cat([*values, tokens]),
            memory_posision_embeddings=torch.cat([*keys, token_keys]),
            num_object_pointer_tokens=len(tokens),
        )
        return output[0].transpose(1, 2).unflatten(2, (self._grid, self._grid))

    def _memorise(self, coarse: Tensor, mask: Tensor, seen: Tensor) -> Tensor:
        """Memory of a frame and a mask in [0, 1], `(N, 64, h, w)`."""
        model, config = self.model, self.model.config
        scaled = mask * config.sigmoid_scale_for_mem_enc + config.sigmoid_bias_for_mem_enc
        memory, _ = model.memory_encoder(coarse, scaled[:, None])
        hidden = (~seen).float().view(-1, 1, 1, 1)
        return memory + hidden * model.occlusion_spatial_embedding_parameter.view(1, -1, 1, 1)

    def _pointer(self, token: Tensor, seen: Tensor) -> Tensor:
        pointer = self.model.object_pointer_proj(token)
        return torch.where(seen[:, None], pointer, self.model.no_object_pointer)

    def _full(self, logits: Tensor) -> Tensor:
        size = (self.side, self.side)
        return F.interpolate(logits[:, None], size, mode="bilinear", align_corners=False)[:, 0]
