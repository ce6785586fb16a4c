"""Weights of space-time correspondence networks: our own small ones, and those of the authors."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from ditta_adapt.errors import InputError
from ditta_adapt.io.files import as_path
from ditta_adapt.models.caller_state import seeded
from ditta_adapt.teachers.stcn.network import SpaceTimeNetwork
from ditta_adapt.teachers.stcn.shape import RELEASED, SMALL

SHIPPED = "stcn-small"
"""Weights in the package, see `README.md` beside them."""

_FILE = Path(__file__).parent / "weights" / "model.safetensors"
_OF_THE_AUTHORS = "key_encoder.conv1.weight"

_NAMES = (
    ("key_encoder.res2.", "keys.layer1."),
    ("key_encoder.", "keys."),
    ("value_encoder.fuser.block1.", "fuse_in."),
    ("value_encoder.fuser.attention.ChannelGate.mlp.1.", "fuse_attention.channels.0."),
    ("value_encoder.fuser.attention.ChannelGate.mlp.3.", "fuse_attention.channels.2."),
    ("value_encoder.fuser.attention.SpatialGate.spatial.conv.", "fuse_attention.places."),
    ("value_encoder.fuser.block2.", "fuse_out."),
    ("value_encoder.", "values."),
    ("key_proj.key_proj.", "key."),
    ("key_comp.", "thin."),
    ("decoder.compress.", "compress."),
    ("decoder.up_16_8.skip_conv.", "to_middle.skip."),
    ("decoder.up_16_8.out_conv.", "to_middle.out."),
    ("decoder.up_8_4.skip_conv.", "to_fine.skip."),
    ("decoder.up_8_4.out_conv.", "to_fine.out."),
    ("decoder.pred.", "mask."),
)
"""How the authors' program begins the name of a weight, and how we do; the first that fits."""


def load_network(weights: str | Path) -> SpaceTimeNetwork:
    """A network in float32 with weights of ours or of the authors.

    Args:
        weights: `"stcn-small"`, or a file.

    Raises:
        InputError: there is no such file, or it holds other weights.
    """
    file = _FILE if weights == SHIPPED else as_path(weights)
    state = _read(file)
    released = _OF_THE_AUTHORS in state
    # What it begins with is overwritten: the caller's random state and defaults play no part.
    with seeded(0, torch.device("cpu")), torch.device("cpu"):
        network = SpaceTimeNetwork(RELEASED if released else SMALL).float()
    try:
        network.load_state_dict(from_released(state) if released else state)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{str(file)!r} does not fit: {reason}. Expected weights of STCN, as its authors or "
            "examples/train_small_stcn write them."
        ) from error
    return network


def from_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The authors' weights by the names of `SpaceTimeNetwork`.

    Their value encoder adds a bias right before batch normalisation, which takes it away again:
    it is taken from the running mean. Weights trained on single images know no other objects, and
    get zeros for them.

    Args:
        state: of their `STCN`, by its names.
    """
    renamed = {_renamed(name): tensor for name, tensor in state.items()}
    kept = dict(renamed)
    for name, bias in renamed.items():
        place = _normalised_after(name)
        if place is not None and f"{place}.running_mean" in renamed:
            kept[f"{place}.running_mean"] = renamed[f"{place}.running_mean"] - bias
            del kept[name]
    first = kept.get("values.conv1.weight")
    if first is not None and first.ndim == 4 and first.shape[1] == 4:
        kept["values.conv1.weight"] = torch.cat([first, torch.zeros_like(first[:, :1])], dim=1)
    return kept


def _renamed(name: str) -> str:
    for theirs, ours in _NAMES:
        if name.startswith(theirs):
            return ours + name.removeprefix(theirs)
    return name


def _normalised_after(name: str) -> str | None:
    """The batch normalisation that follows the convolution whose bias this is, if any does."""
    if not name.startswith("values.") or not name.endswith(".bias"):
        return None
    place, _, layer = name.removesuffix(".bias").rpartition(".")
    if layer.startswith("conv"):
        return f"{place}.bn{layer.removeprefix('conv')}"
    return f"{place}.1" if place.endswith("downsample") and layer == "0" else None


def _read(file: Path) -> Mapping[str, Tensor]:
    if not file.is_file():
        raise InputError(
            f"weights is {str(file)!r}; there is no such file. Expected one, or {SHIPPED!r}."
        )
    try:
        if file.suffix == ".safetensors":
            return load_file(file)
        weights = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        # Loaders raise too many kinds to name: of pickle, zip files, the system.
        raise InputError(
            f"{str(file)!r} cannot be read as weights: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(weights, Mapping) or not all(isinstance(name, str) for name in weights):
        raise InputError(f"{str(file)!r} holds a {type(weights).__name__}, no weights.")
    return weights
