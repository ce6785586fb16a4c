"""A network to try, and the scores that it gives of itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

Own = Callable[[nn.Module, Tensor], Tensor]


def plain_scores(model: nn.Module, images: Tensor) -> Tensor:
    """What users of a network read: the output, its `logits` or `out`, or the first of several."""
    output: Any = model(images)
    if isinstance(output, Mapping):
        output = output["logits"] if "logits" in output else output["out"]
    if isinstance(output, list | tuple):
        output = output[0]
    scores: Tensor = output
    if scores.shape[1] > 1:
        return scores
    # One class: it is where its probability is over a half.
    low, high = float(scores.min()), float(scores.max())
    middle = 0.5 if low >= 0 and high <= 1 else 0.0
    return torch.cat([torch.full_like(scores, middle), scores], dim=1)


@dataclass(frozen=True, slots=True)
class Network:
    """A network with random weights.

    Attributes:
        library: where it is from.
        name: what it is.
        build: makes it, in eval mode.
        own: its class scores, read as its users do and without this library; one grid for all
            classes, and what ranks them will do.
        processor: given to `wrap`, where the network does not say it itself.
        refused: whether it should be refused, such as for another task.
        expected_failures: reason by name of a conformance check that is known to fail.
    """

    library: str
    name: str
    build: Callable[[], nn.Module]
    own: Own = plain_scores
    processor: Any = None
    refused: bool = False
    expected_failures: Mapping[str, str] = field(default_factory=dict)
