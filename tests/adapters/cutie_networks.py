"""Cutie with random weights, and the package's own way through a video."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

pytest.importorskip("cutie", reason="rf-cutie is not installed")


@cache
def small_cutie() -> Any:
    """The authors' small model; do not change it."""
    from ditta_adapt.adapters.cutie.loading import build_network

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return build_network("small")


def follow_in_package(
    network: Any, frames: Sequence[np.ndarray], masks: Tensor, ids: Sequence[int]
) -> list[Tensor]:
    """Label maps of all frames but the first, by the package's loop.

    Args:
        network: a `CUTIE`.
        frames: `(H, W, 3)` uint8, with sides that are multiples of 16.
        masks: `(H, W)` int64, object ids in the first frame.
        ids: of the objects.
    """
    from cutie.inference.inference_core import InferenceCore

    from ditta_adapt.adapters.cutie.loading import configuration

    settings = configuration("small")
    core = InferenceCore(network, settings)
    found = []
    with torch.inference_mode():
        for t, frame in enumerate(frames):
            image = torch.from_numpy(frame).permute(2, 0, 1).float() / 255
            given = (masks, list(ids)) if t == 0 else ()
            found.append(core.output_prob_to_mask(core.step(image, *given)))
    return found[1:]
