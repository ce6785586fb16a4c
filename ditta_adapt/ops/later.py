"""Numbers that a device still computes, read without stopping it for them."""

from typing import Any

import torch
from torch import Tensor


def answers_late(tensor: Tensor) -> bool:
    """Whether a question about the values of a tensor is better read with the next frame."""
    return tensor.is_cuda


class Later:
    """A few numbers that are needed with the next frame, not with this one.

    On a GPU they are copied to the host behind the work that is queued; `read` waits for that copy
    alone, which is long done when the next frame comes. On a CPU they are there at once.

    Args:
        values: any shape, floating-point or bool; not written to afterwards.
    """

    def __init__(self, values: Tensor) -> None:
        self._values = values.detach().flatten()
        self._copied: Any = None
        if values.is_cuda:
            host = torch.empty(self._values.shape, dtype=values.dtype, pin_memory=True)
            self._values = host.copy_(self._values, non_blocking=True)
            event: Any = torch.cuda.Event
            self._copied = event()
            self._copied.record()

    def read(self) -> list[float]:
        """The numbers, in order."""
        if self._copied is not None:
            self._copied.synchronize()
            self._copied = None
        return [float(value) for value in self._values.tolist()]

    def __getstate__(self) -> dict[str, Any]:
        # An event belongs to the process and the device; a copy of this holds the numbers.
        self.read()
        return {"_values": self._values.clone(), "_copied": None}
