"""Label maps as metrics take them."""

import numpy as np
import torch
from torch import Tensor

from ditta_adapt.errors import InputError


def label_map(labels: Tensor | np.ndarray) -> Tensor:
    """Integer labels of any dtype and memory layout as int64, in memory of their own.

    Raises:
        InputError: not integers.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind in "iub":
        return torch.from_numpy(labels.astype(np.int64))
    if isinstance(labels, Tensor) and not (labels.is_floating_point() or labels.is_complex()):
        return labels.to(torch.int64, copy=True)
    raise InputError(
        f"labels are a {type(labels).__name__} of dtype {getattr(labels, 'dtype', None)}; expected "
        "an array or tensor of integers."
    )
