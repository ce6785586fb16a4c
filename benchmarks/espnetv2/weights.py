"""The released weights: reading them, and the names that they have here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.espnetv2.encoder import BRANCHES, CHANNELS
from benchmarks.espnetv2.network import ESPNetv2

# Released name -> name here, replaced in this order.
_RENAMED = (
    ("base_net.level1.", "encoder.stem."),
    ("base_net.level2_0.", "encoder.down4."),
    ("base_net.level3_0.", "encoder.down8."),
    ("base_net.level3.", "encoder.blocks8."),
    ("base_net.level4_0.", "encoder.down16."),
    ("base_net.level4.", "encoder.blocks16."),
    (".proj_1x1.", ".reduce."),
    *((f".spp_dw.{i}.conv.", f".dilated.{i}.") for i in range(BRANCHES)),
    (".br_after_cat.", ".norm."),
    (".conv_1x1_exp.", ".expand."),
    (".module_act.", ".act."),
    (".inp_reinf.", ".reinforce."),
    ("bu_dec_l4.merge_layer.3.", "decoder.classifier."),
    *((f"bu_dec_l{i + 1}.merge_layer.3.", f"decoder.expands.{i}.conv.") for i in range(3)),
    *((f"bu_dec_l{i + 1}.br.", f"decoder.expands.{i}.") for i in range(3)),
    *((f"bu_dec_l{i + 1}.", f"decoder.pools.{i}.") for i in range(4)),
    *((f"merge_enc_dec_l{i + 2}.", f"decoder.skips.{i}.") for i in range(3)),
    *((f"bu_br_l{i + 2}.", f"decoder.joins.{i}.br.") for i in range(3)),
    (".projection_layer.", ".project."),
    (".stages.", ".filters."),
    (".merge_layer.0.", ".norm."),
    (".merge_layer.2.", ".fuse."),
    (".wt_layer.1.", ".gate."),
    (".expansion_layer.", ".expand."),
    *((f".cbr.{i}.", f".{part}.") for i, part in enumerate(("conv", "bn", "act"))),
    *((f".br.{i}.", f".{part}.") for i, part in enumerate(("bn", "act"))),
)


def load_espnetv2(path: str | Path, num_classes: int | None = None) -> ESPNetv2:
    """Build the network from a released state dict, in eval mode, on the CPU.

    Args:
        path: `espnetv2_s_*.pth` of the released segmentation models, of any width.
        num_classes: the number of outputs the file must have; None takes the file's.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not a state dict of this network, or has other outputs.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling arbitrary bytes may raise nearly anything
        raise ValueError(f"{path} is not a file of tensors: {error}") from error
    bias = state.get("bu_dec_l4.merge_layer.3.bias") if isinstance(state, dict) else None
    if not isinstance(bias, Tensor):
        raise ValueError(f"{path} is not a state dict of an ESPNetv2 segmentation network")
    found = bias.numel()
    if num_classes is not None and num_classes != found:
        raise ValueError(f"{path} has {found} outputs, not {num_classes}")
    model = ESPNetv2(found, _width_of(state))
    try:
        model.load_state_dict(rename_released(state), strict=True)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit ESPNetv2: {error}") from error
    return model.eval()


def _width_of(state: Mapping[str, Tensor]) -> float:
    """The factor `s`, by how many channels the coarsest map of the encoder has; 2 if unknown."""
    coarsest = state.get("bu_dec_l1.projection_layer.cbr.0.weight", torch.empty(0)).shape[1:2]
    return next((width for width, each in CHANNELS.items() if each[-1:] == tuple(coarsest)), 2.0)


def rename_released(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give the tensors of a released state dict the names used here.

    Leaves out the three slopes `*.eesp.module_act.weight` of the strided blocks: the released
    network holds them but never applies them.
    """
    renamed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.endswith(".eesp.module_act.weight"):
            continue
        for old, new in _RENAMED:
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed
