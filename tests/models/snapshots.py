"""All that a model is, to be compared before and after."""

from typing import Any

import torch
from torch import nn


def snapshot(model: nn.Module) -> dict[str, Any]:
    """Everything that must not change; hooks and gradients included."""
    return {
        "state": {name: tensor.clone() for name, tensor in model.state_dict().items()},
        "identity": {name: id(p) for name, p in model.named_parameters()},
        "requires_grad": {name: p.requires_grad for name, p in model.named_parameters()},
        "gradients": {name: p.grad for name, p in model.named_parameters()},
        "training": {name: m.training for name, m in model.named_modules()},
        "hooks": {
            name: (len(m._forward_hooks), len(m._forward_pre_hooks))
            for name, m in model.named_modules()
        },
    }


def assert_same(before: dict[str, Any], after: dict[str, Any]) -> None:
    state, later = before.pop("state"), after.pop("state")
    assert before == after
    assert all(torch.equal(state[name], later[name]) for name in state)
