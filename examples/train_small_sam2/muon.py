"""Muon in float32: the library's rounds to bfloat16, which takes a CPU four times as long."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.775, 2.0315)


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal: every direction of a matrix learns equally fast.

    As `torch.optim.Muon` with Nesterov momentum 0.95 and `adjust_lr_fn="match_rms_adamw"`: entries
    of the step have the root mean square 0.2 lr, so that it shares its rate with AdamW.

    Source: Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).

    Args:
        matrices: parameters of two dimensions; kernels of convolutions are taken as one row for
            every channel that comes out.
        lr: learning rate.
        weight_decay: decoupled, as AdamW's.
        iterations: of Newton and Schulz, see `orthogonal`.
    """

    def __init__(
        self,
        matrices: Iterable[nn.Parameter],
        lr: float,
        *,
        weight_decay: float = 0.01,
        iterations: int = 4,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "iterations": iterations}
        super().__init__(matrices, defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients."""
        for group in self.param_groups:
            rate = group["lr"]
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                momentum = state["momentum"].lerp_(matrix.grad, 1 - _MOMENTUM)
                ahead = matrix.grad.lerp(momentum, _MOMENTUM).flatten(1)
                step = orthogonal(ahead, group["iterations"])
                matrix.mul_(1 - rate * group["weight_decay"])
                matrix.add_(step.view_as(matrix), alpha=-rate * 0.2 * max(step.shape) ** 0.5)


def orthogonal(matrix: Tensor, iterations: int) -> Tensor:
    """The nearest matrix with singular values of about 1, by iterations of Newton and Schulz."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    result = wide / wide.norm().clamp(min=1e-7)
    a, b, c = _COEFFICIENTS
    for _ in range(iterations):
        square = result @ result.T
        result = a * result + (b * square + c * square @ square) @ result
    return result if matrix.shape[0] <= matrix.shape[1] else result.T
