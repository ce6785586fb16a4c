"""A classifier of masks: features pooled inside each, then a small MLP."""

import json
from pathlib import Path
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ditta_adapt.baselines.arguments import check_choice, check_count
from ditta_adapt.errors import CheckpointError, InputError
from ditta_adapt.io.files import as_path, write_files
from ditta_adapt.models.caller_state import OWN_LAYER

HIDDEN, SCHEMA_VERSION = 256, 1
Source = Literal["propagator", "segmenter"]


def pool_masks(
    features: Float[Tensor, "D h w"], masks: Bool[Tensor, "N H W"]
) -> Float[Tensor, "N D"]:
    r"""Mean features inside each mask.

    .. math:: v_i = \frac{\sum_p w_i(p) F(p)}{\sum_p w_i(p)}

    where :math:`w_i(p)` is the share of grid cell `p` that mask `i` covers (average pooling of the
    mask to the grid), so that a mask smaller than a cell still has features.

    Args:
        features: `F`, `(D, h, w)` float, on a grid over the whole frame.
        masks: `(N, H, W)` bool, none empty, on the device of `features`.

    Returns:
        `(N, D)` float32.

    Source: "Evaluating SAM2 for video semantic segmentation", I-SAM2; the weights are a choice.
    """
    grid = (features.shape[1], features.shape[2])
    weights = [F.adaptive_avg_pool2d(mask[None].float(), grid).flatten() for mask in masks]
    cells = features.float().flatten(1).T
    stacked = torch.stack(weights) if weights else cells.new_zeros(0, len(cells))
    return stacked @ cells / stacked.sum(dim=1, keepdim=True)


class MaskClassifier(nn.Module):
    """`(N, D)` features to `(N, C)` class scores: standardised, then `D -> 256 -> C`.

    Args:
        in_features: `D`.
        num_classes: `C`.
        source: whose features these are, the `"propagator"`'s or the `"segmenter"`'s.

    Attributes:
        mean: `(D,)` buffer, subtracted from features; what training saw on average.
        scale: `(D,)` buffer, features are divided by it; their spread in training.

    Raises:
        InputError: an argument out of its range.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, in_features: int, num_classes: int, source: Source) -> None:
        check_count("in_features", in_features)
        check_count("num_classes", num_classes)
        check_choice("source", source, get_args(Source))
        super().__init__()
        self.in_features, self.num_classes = in_features, num_classes
        self.source: Source = source
        self.register_buffer("mean", torch.zeros(in_features, **OWN_LAYER))
        self.register_buffer("scale", torch.ones(in_features, **OWN_LAYER))
        self.hidden = nn.Linear(in_features, HIDDEN, **OWN_LAYER)
        self.classes = nn.Linear(HIDDEN, num_classes, **OWN_LAYER)

    def forward(self, features: Float[Tensor, "N D"]) -> Float[Tensor, "N C"]:
        """Class scores before the softmax."""
        standardised = (features - self.mean) / self.scale
        scores: Tensor = self.classes(F.relu(self.hidden(standardised)))
        return scores

    def save(self, path: str | Path) -> None:
        """Write one safetensors file.

        Raises:
            CheckpointError: it cannot be written.
        """
        tensors = {
            name: tensor.detach().to("cpu", copy=True).contiguous()
            for name, tensor in self.state_dict().items()
        }
        about = {
            "schema_version": SCHEMA_VERSION,
            "in_features": self.in_features,
            "num_classes": self.num_classes,
            "source": self.source,
        }
        try:
            content = to_bytes(tensors, metadata={"mask_classifier": json.dumps(about)})
            write_files({as_path(path): content})
        except (InputError, SafetensorError) as error:
            raise CheckpointError(f"cannot write to {path}: {error}") from error

    @classmethod
    def load(cls, path: str | Path) -> "MaskClassifier":
        """Read what `save` wrote, onto the CPU, in eval mode.

        Raises:
            CheckpointError: missing, corrupt, or no mask classifier of this version.
        """
        try:
            with safe_open(path, framework="pt") as file:
                about = json.loads((file.metadata() or {}).get("mask_classifier", "null"))
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError, ValueError) as error:
            raise CheckpointError(f"{path} is missing or corrupt: {error}") from error
        version = about.get("schema_version") if isinstance(about, dict) else None
        if version != SCHEMA_VERSION:
            raise CheckpointError(
                f"{path} holds no mask classifier, or one of version {version!r}; expected a file "
                f"written by MaskClassifier.save, of version {SCHEMA_VERSION}."
            )
        try:
            classifier = cls(about["in_features"], about["num_classes"], about["source"])
            classifier.load_state_dict(tensors)
        except (KeyError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{path} contradicts itself: {error}") from error
        return classifier.eval()
