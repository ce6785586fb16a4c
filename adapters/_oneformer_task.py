"""The task that a OneFormer is given along with an image, as tokens."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ditta_adapt import InputError
from ditta_adapt.io import require

_WORDS = "the task is semantic"


@dataclass(frozen=True, slots=True)
class TaskTokens:
    """Runs a OneFormer on images with the task of semantic segmentation.

    Attributes:
        tokens: of the words "the task is semantic", padded.
    """

    tokens: tuple[int, ...]

    @classmethod
    def of(cls, model: Any, processor: Any) -> "TaskTokens":
        """The tokens by the tokenizer of a processor, or of where the model was loaded from.

        Raises:
            InputError: there is none.
            MissingDependencyError: transformers is not installed.
        """
        tokenizer = getattr(processor, "tokenizer", None)
        source = getattr(model, "name_or_path", "")
        if tokenizer is None and source:
            auto = require("transformers").AutoTokenizer
            try:
                tokenizer = auto.from_pretrained(source, local_files_only=True)
            # None lies beside the weights.
            except (OSError, ValueError):
                tokenizer = None
        if tokenizer is None:
            raise InputError(
                f"{type(model).__name__} is told its task in words, and no tokenizer is at hand. "
                "Give it the processor it is used with: wrap(model, processor="
                "OneFormerProcessor.from_pretrained(...))."
            )
        length = getattr(processor, "task_seq_length", model.config.task_seq_len)
        found = tokenizer([_WORDS], padding="max_length", max_length=length, truncation=True)
        pairs = zip(found["attention_mask"][0], found["input_ids"][0], strict=True)
        return cls(tuple(int(mask) * int(token) for mask, token in pairs))

    def __call__(self, model: Any, images: Tensor) -> Any:
        """What the model returns for images and the task."""
        tokens = torch.tensor([self.tokens], device=images.device).expand(len(images), -1)
        return model(pixel_values=images, task_inputs=tokens)
