"""Class scores of models with queries, and the task of one that is told it in words."""

from typing import Any

import torch
from torch import Tensor, nn


def query_scores(model: nn.Module, images: Tensor) -> Tensor:
    """Semantic inference as documented: classes of queries times their masks, summed."""
    kwargs: dict[str, Tensor] = {"pixel_values": images}
    if hasattr(model, "query_updater"):
        kwargs = {"pixel_values_videos": images.unsqueeze(1)}
    if hasattr(getattr(model, "model", None), "task_encoder"):
        kwargs["task_inputs"] = TASK.to(images.device).expand(len(images), -1)
    output: Any = model(**kwargs)
    if "class_queries_logits" in output:
        classes, masks = output["class_queries_logits"], output["masks_queries_logits"]
    else:
        classes, masks = output["logits"], output["pred_masks"]
    probabilities = classes.softmax(-1)[..., :-1]
    return torch.einsum("bqc,bqhw->bchw", probabilities, masks.sigmoid())


TASK = torch.tensor([[3, 4, 5, 2, 0, 0, 0, 0]])
"""Tokens that stand for "the task is semantic" in `task_processor`."""


class _Tokenizer:
    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[list[int]]]:
        if texts != ["the task is semantic"]:
            raise ValueError(f"{texts} is not the task of labelling pixels")
        return {"input_ids": [[3, 4, 5, 2, 9, 9, 9, 9]], "attention_mask": [[1] * 4 + [0] * 4]}


class _ImageProcessor:
    do_normalize = True

    def to_dict(self) -> dict[str, Any]:
        return {"do_resize": False, "do_normalize": True}


class _Processor:
    """What is read of a OneFormerProcessor, whose vocabulary lies on the hub."""

    image_processor = _ImageProcessor()
    tokenizer = _Tokenizer()
    task_seq_length = 8


def task_processor() -> Any:
    """A processor with a tokenizer for OneFormer."""
    return _Processor()
