"""The seam: any builder may make the labels, and what it makes is checked."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ditta_adapt import (
    AdaptConfig,
    AttentionAddon,
    ConfigError,
    Contrast,
    DenseVote,
    InputError,
    MaskVote,
    TargetBuilder,
    Targets,
    Training,
    VideoSegmenter,
    WarmUp,
    WarpedVotes,
    wrap,
)
from ditta_adapt.progress import ProgressCallback
from ditta_adapt.targets.build import build_targets
from ditta_adapt.targets.targets import IGNORE
from ditta_adapt.teachers.propagator import Propagator
from tests.baselines.shift_propagator import ShiftPropagator
from tests.toys import NUM_CLASSES, StillPropagator, toy_segmenter, toy_video

SIZE = (12, 14)
FRAMES = toy_video(5, size=SIZE)


def painted(
    value: int | Callable[[int], int], num_frames: int = 4, size: tuple[int, int] = SIZE
) -> TargetBuilder:
    """A builder that gives all of a frame one label."""

    def build(
        propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
    ) -> Targets:
        label = value if callable(value) else lambda t: value
        frames = [torch.full(size, label(t), dtype=torch.int16) for t in range(num_frames)]
        return Targets(frames, [], {}, True, "paint")

    return build


def test_builder_sees_the_warmup_and_its_labels_are_learned() -> None:
    seen: list[tuple[object, WarmUp, object]] = []
    teacher, segmenter = StillPropagator(), toy_segmenter()
    config = AdaptConfig(
        training=Training(adapted_share=1.0, passes=15, learning_rate=3e-2),
        memory=AttentionAddon(),
        safety=None,
        look=None,
    )

    def build(
        propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
    ) -> Targets:
        seen.append((propagator, warm_up, config))
        assert warm_up.segmenter is not segmenter
        for t, frame in enumerate(FRAMES[:4]):
            assert torch.equal(warm_up.video[t], torch.from_numpy(frame))
            logits = warm_up.logits(t)
            assert logits.shape == (1, NUM_CLASSES, *SIZE)
            assert not logits.requires_grad
            assert torch.equal(logits[0].argmax(0), warm_up.predictions[t].labels.long())
            assert warm_up.grid_logits(t).shape == (1, NUM_CLASSES, *warm_up.grid)
            assert not warm_up.grid_logits(t).requires_grad
        assert warm_up.video is warm_up.video
        return painted(2)(propagator, warm_up, config, progress)

    model = wrap(segmenter, propagator=teacher, config=config, target_builder=build)
    report = model.adapt(FRAMES[:4])
    assert seen[0][1].grid == (6, 7)
    told = replace(config, targets=MaskVote())
    assert [(p is teacher, w.size, c) for p, w, c in seen] == [(True, SIZE, told)]
    assert report.reason == "adapted to paint"
    assert (model(FRAMES[4]) == 2).float().mean() > 0.95
    # Asked what it can do, and for nothing else.
    assert [session.calls for session in teacher.sessions] == [[]]


@pytest.mark.parametrize(
    ("teacher", "targets", "memory"),
    [
        (StillPropagator(), MaskVote(), AttentionAddon()),
        (ShiftPropagator(), DenseVote(), WarpedVotes()),
    ],
)
def test_builder_is_told_what_auto_stands_for(
    teacher: Propagator, targets: object, memory: object
) -> None:
    seen: list[AdaptConfig] = []

    def build(
        propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
    ) -> Targets:
        seen.append(config)
        return painted(2)(propagator, warm_up, config, progress)

    config = AdaptConfig(training=Training(passes=1), safety=None)
    model = wrap(toy_segmenter(), propagator=teacher, config=config, target_builder=build)
    model.adapt(FRAMES[:4])
    assert seen == [replace(config, targets=targets, memory=memory)]
    assert model.config is config


def test_builder_may_be_exchanged() -> None:
    config = AdaptConfig(safety=None)
    model = wrap(toy_segmenter(), config=config, target_builder=painted(1))
    assert model.adapt(FRAMES[:4]).reason == "adapted to paint"
    model.target_builder = build_targets
    expected = wrap(toy_segmenter(), config=config).adapt(FRAMES[:4])
    assert model.adapt(FRAMES[:4]).losses == expected.losses != []


@pytest.mark.parametrize(
    ("builder", "match"),
    [
        (painted(1, num_frames=3), "labels for 3 frames.*each of the 4 warm-up frames"),
        (painted(1, size=(3, 4)), r"shape \(3, 4\) for frame 0.*\(12, 14\).*or \(6, 7\)"),
        (painted(lambda t: 4 if t == 2 else 1), r"from 4 to 4 for frame 2.*\[0, 4\), and -1"),
        (painted(-2), "from -2 to -2 for frame 0"),
    ],
)
def test_targets_that_do_not_fit(builder: TargetBuilder, match: str) -> None:
    model = wrap(toy_segmenter(), target_builder=builder)
    with pytest.raises(InputError, match=match):
        model.adapt(FRAMES[:4])
    untouched = wrap(toy_segmenter()).predict(FRAMES[4]).probabilities
    assert torch.equal(model.predict(FRAMES[4]).probabilities, untouched)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: None, "a NoneType; expected Targets"),
        (lambda: [torch.zeros(SIZE, dtype=torch.int16)] * 4, "a list; expected Targets"),
        (
            lambda: labelled(np.zeros(SIZE, np.int16)),
            "a ndarray of int16 for frame 1; .*tensor",
        ),
        (lambda: labelled(torch.zeros(SIZE)), r"a Tensor of torch\.float32 for frame 1"),
        (lambda: labelled(None), "a NoneType for frame 1"),
    ],
    ids=["none", "list", "numpy", "float", "no map"],
)
def test_what_are_no_targets(make: Callable[[], Any], match: str) -> None:
    model = wrap(toy_segmenter(), target_builder=lambda *_: make())
    with pytest.raises(InputError, match=f"returned {match}"):
        model.adapt(FRAMES[:4])


def labelled(second: Any) -> Targets:
    """Targets whose second map is something else."""
    maps = [torch.zeros(SIZE, dtype=torch.int16) for _ in range(4)]
    return Targets([maps[0], second, *maps[2:]], [], {}, True, "paint")


def trusted(*maps: torch.Tensor) -> TargetBuilder:
    """A builder whose labels, at frame size, come with confidence."""

    def build(
        propagator: Propagator, warm_up: WarmUp, config: AdaptConfig, progress: ProgressCallback
    ) -> Targets:
        return replace(painted(2)(propagator, warm_up, config, progress), confidence=list(maps))

    return build


FULL = torch.ones(SIZE)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("maps", "match"),
    [
        ([FULL] * 3, r"confidence for 3 frames.*each of the 4 frames"),
        ([FULL] * 3 + [torch.ones(6, 7)], r"shapes \[\(6, 7\), \(12, 14\)\].*\[\(12, 14\)\]"),
        ([FULL, 1.01 * FULL, FULL, FULL], r"from 1\.0.* for frame 1; expected floats in \[0, 1\]"),
        ([FULL, FULL, -0.01 * FULL, FULL], r"from -0\.0.* for frame 2"),
        ([FULL, FULL, FULL, FULL * torch.nan], r"from nan to nan for frame 3"),
        ([FULL.long()] * 4, r"confidence of torch\.int64 from 1 to 1 for frame 0"),
    ],
    ids=["too few", "another grid", "above 1", "below 0", "nan", "integers"],
)
def test_confidence_that_does_not_fit(maps: list[torch.Tensor], match: str) -> None:
    model = wrap(toy_segmenter(), target_builder=trusted(*maps))
    with pytest.raises(InputError, match=match):
        model.adapt(FRAMES[:4])
    assert model.report is None


def test_labels_are_learned_as_far_as_they_are_trusted() -> None:
    config = AdaptConfig(
        training=Training(adapted_share=1.0, passes=15, learning_rate=3e-2),
        memory=None,
        safety=None,
    )
    image_model = wrap(toy_segmenter()).predict(FRAMES[4]).probabilities
    share = []
    for trust in (0.0, 0.5, 1.0):
        builder = trusted(*[torch.full(SIZE, trust)] * 4)
        model = wrap(toy_segmenter(), config=config, target_builder=builder)
        model.adapt(FRAMES[:4])
        share.append(float(model.predict(FRAMES[4]).probabilities[2].mean()))
    own = float(image_model[2].mean())
    # The least loss is at the trust itself, and the rest of the frozen model's distribution.
    for trust, found in zip((0.0, 0.5, 1.0), share, strict=True):
        assert found == pytest.approx(trust + (1 - trust) * own, abs=0.1)


def test_labels_on_the_decoders_grid() -> None:
    config = AdaptConfig(
        training=Training(adapted_share=1.0, passes=15, learning_rate=3e-2),
        memory=None,
        safety=None,
    )
    builder = painted(2, size=(6, 7))
    model = wrap(toy_segmenter(), config=config, target_builder=builder)
    assert model.adapt(FRAMES[:4]).adapted
    assert (model(FRAMES[4]) == 2).float().mean() > 0.95


def test_ignored_pixels_are_allowed() -> None:
    builder = painted(lambda t: IGNORE if t else 3)
    config = AdaptConfig(safety=None)
    model = wrap(toy_segmenter(), config=config, target_builder=builder)
    assert model.adapt(FRAMES[:4]).adapted


def test_contrast_without_objects() -> None:
    config = AdaptConfig(
        targets=MaskVote(), training=Training(contrast=Contrast(weight=0.5)), safety=None
    )
    model = wrap(toy_segmenter(), config=config, target_builder=painted(1))
    with pytest.raises(ConfigError, match=r"weight=0\.5.*paint, name no objects"):
        model.adapt(FRAMES[:4])


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(("wrong", "shown"), [(None, "NoneType"), (VideoSegmenter, "VideoSeg")])
def test_what_is_no_builder(wrong: object, shown: str) -> None:
    with pytest.raises(InputError, match=f"target_builder is {shown}"):
        wrap(toy_segmenter(), target_builder=wrong)


def test_training_that_could_not_act_is_refused() -> None:
    """Without targets nothing is learned, unless a builder of one's own makes them."""
    config = AdaptConfig(targets=None, training=Training(passes=3), memory=None, safety=None)
    with pytest.raises(ConfigError, match="training cannot act"):
        wrap(toy_segmenter(), config=config)
    report = wrap(toy_segmenter(), config=config, target_builder=painted(1)).adapt(FRAMES[:4])
    assert len(report.losses) == 3 * 4


def test_default_builder_is_teach() -> None:
    assert wrap(toy_segmenter()).target_builder is build_targets
    assert isinstance(build_targets, TargetBuilder)
