"""What the student is shown in place of a frame: with source objects pasted, or parts hidden."""

from collections.abc import Collection
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from jaxtyping import Bool, Int64, UInt8
from torch import Tensor

from ditta_adapt.domain.source_clips import LabelledFrame, nearest
from ditta_adapt.targets.targets import Targets


@dataclass(frozen=True, slots=True)
class View:
    """One frame as the student is shown it.

    Attributes:
        frame: RGB.
        targets: of this one frame.
    """

    frame: UInt8[Tensor, "3 H W"]
    targets: Targets


def only(targets: Targets, t: int) -> Targets:
    """The targets of one frame of a clip, without its objects."""
    confidence = [targets.confidence[t]] if targets.confidence else []
    return Targets([targets.labels[t]], [], {}, True, targets.source, confidence)


def half_of_classes(labels: Int64[Tensor, "H W"], random: np.random.Generator) -> list[int]:
    """Half of the classes that occur, rounded up, drawn at random; negative labels are none.

    Source: DACS (Tranheden et al., WACV 2021).
    """
    found = [int(label) for label in torch.unique(labels) if label >= 0]
    order = random.permutation(len(found))[: (len(found) + 1) // 2]
    return sorted(found[int(index)] for index in order)


def paste_classes(view: View, source: LabelledFrame, classes: Collection[int]) -> View:
    r"""Pixels of some classes of a source frame, on top of a target frame and its labels.

    .. math:: x = m\, x^S + (1 - m)\, x^T, \qquad y = m\, y^S + (1 - m)\, \hat y^T,
              \qquad m = [y^S \in classes]

    What is pasted is trusted fully. DACS weighs all other pixels by the share of confident ones;
    here each keeps the trust of its vote.

    Args:
        view: a frame of the target; its labels lie on any grid over it.
        source: of the size of the frame.
        classes: to paste.

    Source: DACS (Tranheden et al., WACV 2021); UnifiedVideoDA (arXiv 2402.00868).
    """
    region = torch.isin(source.labels, source.labels.new_tensor(sorted(classes)))
    frame, targets = view.frame, view.targets
    mixed = torch.where(region.to(frame.device), source.frame.to(frame.device), frame)
    own = targets.labels[0]
    grid = (own.shape[0], own.shape[1])
    on_top = nearest(region.long(), grid).bool().to(own.device)
    labels = torch.where(on_top, nearest(source.labels, grid).to(own), own)
    confidence = [torch.where(on_top.to(each.device), 1.0, each) for each in targets.confidence]
    return View(mixed, Targets([labels], [], {}, True, targets.source, confidence))


def hidden_patches(
    size: tuple[int, int], ratio: float, patch: float, random: np.random.Generator
) -> Bool[Tensor, "H W"]:
    """Which pixels are hidden: patches of a regular grid, each with the same chance.

    Args:
        size: `(H, W)`.
        ratio: the chance.
        patch: side of a patch, as a share of the shorter side.
        random: draws.
    """
    side = max(round(patch * min(size)), 1)
    grid = ceil(size[0] / side), ceil(size[1] / side)
    drawn = torch.from_numpy(random.random(grid) < ratio)
    whole = drawn.repeat_interleave(side, dim=0).repeat_interleave(side, dim=1)
    return whole[: size[0], : size[1]]


def hide(frame: UInt8[Tensor, "3 H W"], hidden: Bool[Tensor, "H W"]) -> UInt8[Tensor, "3 H W"]:
    """A frame with its mean colour where it is hidden."""
    mean = frame.float().mean(dim=(1, 2), keepdim=True).round().to(torch.uint8)
    return torch.where(hidden.to(frame.device), mean, frame)
