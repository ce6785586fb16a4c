"""A small video model that is judged by second looks."""

from dataclasses import replace

import numpy as np
from torch import Tensor

from ditta_adapt import (
    AdaptConfig,
    Checks,
    SecondLook,
    SelfLabels,
    Training,
    VideoSegmenter,
    WarpedVotes,
    wrap,
)
from ditta_adapt.io.frames import frame_to_tensor
from ditta_adapt.models.forward import frame_output
from ditta_adapt.safety.judge import Judge, Speaker
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import ToySegmenter, toy_segmenter, toy_video

VIDEO = toy_video(12, (32, 40))
LOOK = SecondLook(
    warmup_scales=(0.5, 2.0), warmup_mirror=False, scales=(0.5, 2.0), first=(2, 4), budget=0.0
)
CONFIG = AdaptConfig(
    targets=SelfLabels(),
    training=Training(learning_rate=3e-3, passes=5),
    memory=WarpedVotes(decay=1.0),
    # Nothing but the judge decides.
    safety=Checks(cut=0.0, least_drift=1.0),
    look=LOOK,
)


def adapted(config: AdaptConfig = CONFIG, segmenter: ToySegmenter | None = None) -> VideoSegmenter:
    model = wrap(segmenter or toy_segmenter(), propagator=ShiftPropagator(step=-2), config=config)
    assert model.adapt(VIDEO[:4]).adapted
    return model


def say(model: VideoSegmenter, **opinions: float) -> None:
    """Put words into the judge's mouth."""
    state = model._stream.state
    assert state is not None
    assert state.judge is not None
    judge = Judge(state.judge.checks, {name: (value, value) for name, value in opinions.items()})
    model._stream.state = replace(state, judge=judge)


def who_spoke(model: VideoSegmenter) -> Speaker:
    state = model._stream.state
    assert state is not None
    assert state.log is not None
    return state.log.speaker


def image_model(frame: np.ndarray) -> Tensor:
    return wrap(toy_segmenter())(frame)


def image_labels(frame: np.ndarray) -> Tensor:
    return frame_output(toy_segmenter(), frame_to_tensor(frame)).logits[0].argmax(0)
