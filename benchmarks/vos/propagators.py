"""Which propagators are measured, by name, and how they are trained on a video first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.davis_voc import make_segmenter
from benchmarks.vos.copying import Copying
from ditta_adapt import Frame, Propagator
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.adapters.sam2_transformers import SMALL, Sam2TransformersPropagator
from ditta_adapt.teachers.matching import MatchingPropagator, SegmenterFeatures
from ditta_adapt.teachers.registry import find_propagator
from ditta_adapt.teachers.test_time import PropagatorReport, adapt_propagator

COPY = "copy"
PLAIN = (COPY, "flow", "sam2-small", "matching", "stcn-small")
TRAINED = (
    "matching+mask_cycle",
    "matching+entropy",
    "stcn-small+mask_cycle",
    "stcn-small+entropy",
    "stcn-small+mask_autoencoder",
    "sam2-small+mask_cycle",
    "sam2-small+entropy",
)


@dataclass(frozen=True)
class Course:
    """How a propagator is trained on a video; see `adapt_propagator`."""

    length: int = 3
    jump: int | None = 10
    seed: int = 0


def propagator(name: str) -> Propagator:
    """A propagator that takes masks, by one of the names above or any that `wrap` takes."""
    if name == "flow":
        return OpticalFlowPropagator()
    if name == "sam2-small":
        return Sam2TransformersPropagator(checkpoint=SMALL, mask_prompts=True)
    if name == "matching":
        return MatchingPropagator(SegmenterFeatures(make_segmenter()))
    if name == COPY:
        return Copying()
    return find_propagator(name)


def prepared(
    name: str, frames: Sequence[Frame], first: Mapping[int, Tensor], course: Course
) -> tuple[Propagator, PropagatorReport | None]:
    """A propagator, trained on a video if its name says so: `NAME+OBJECTIVE` or `...:STEPS`.

    Args:
        name: see above.
        frames: of the video.
        first: masks of the objects in its first frame; without any there is nothing to train on.
        course: of the training.
    """
    own, _, training = name.partition("+")
    if not training or not first:
        return propagator(own), None
    objective, _, steps = training.partition(":")
    return adapt_propagator(
        propagator(own),
        frames,
        torch.stack(list(first.values())),
        objective=objective,  # type: ignore[arg-type]
        iterations=int(steps) if steps else None,
        length=course.length,
        jump=course.jump,
        seed=course.seed,
    )
