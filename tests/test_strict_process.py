"""Settings that a caller's process may have: the labels are the same, and the settings stay."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, Propagator, wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.baselines import CoTTA
from ditta_adapt.baselines.accel import AccelSegmenter
from ditta_adapt.corruptions import corruption_names, parse_corruption
from ditta_adapt.metrics import SegmentationScore, VideoConsistency
from ditta_adapt.testing import check_propagator
from tests.toys import prompting, toy_segmenter, toy_video


def half_still() -> list[np.ndarray]:
    """Flow of a resting image is next to nothing, where half precision underflows."""
    frames = toy_video(6, size=(40, 60))
    for frame in frames[1:]:
        frame[:, :30] = frames[0][:, :30]
    return frames


FRAMES = half_still()


@contextmanager
def numpy_raises() -> Iterator[None]:
    with np.errstate(all="raise"):
        yield
        assert np.geterr()["under"] == "raise"


@contextmanager
def default_dtype() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def default_device() -> Iterator[None]:
    """On which nothing can be computed, so that whoever leaves out a device is found out."""
    torch.set_default_device("meta")
    try:
        yield
        assert torch.get_default_device() == torch.device("meta")
    finally:
        torch.set_default_device(None)


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


@contextmanager
def warnings_raise() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@contextmanager
def inference_mode() -> Iterator[None]:
    with torch.inference_mode():
        yield
        assert torch.is_inference_mode_enabled()


@contextmanager
def without_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield
        assert not torch.is_grad_enabled()


SETTINGS = [
    numpy_raises,
    default_dtype,
    default_device,
    deterministic,
    warnings_raise,
    inference_mode,
    without_gradients,
]


def video_model(config: AdaptConfig, propagator: Propagator) -> Callable[[], list[Tensor]]:
    segmenter = toy_segmenter()

    def run() -> list[Tensor]:
        model = wrap(segmenter, propagator=propagator, config=prompting(config, 0.0))
        assert model.adapt(FRAMES[:4]).losses
        first = [model(frame) for frame in FRAMES[4:]]
        return [*first, *model.segment(FRAMES, warmup=2)]

    return run


def method(build: Callable[[object], object]) -> Callable[[], list[Tensor]]:
    segmenter = toy_segmenter()

    def run() -> list[Tensor]:
        model = build(segmenter)
        model.adapt(FRAMES[:3])  # type: ignore[attr-defined]
        return [model(frame) for frame in FRAMES[3:]]  # type: ignore[operator]

    return run


# Between them: both kinds of targets, both memories, both modes, streams and single frames.
PROGRAMS: dict[str, Callable[[], list[Tensor]]] = {
    "default": video_model(AdaptConfig(), OpticalFlowPropagator()),
    "paper": video_model(AdaptConfig.paper(), OpticalFlowPropagator()),
    "cotta": method(lambda s: CoTTA(s, seed=0)),
    "accel": method(lambda s: AccelSegmenter(s, propagator=OpticalFlowPropagator())),
}


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Tensor]]:
    return {name: run() for name, run in PROGRAMS.items()}


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.__name__)
@pytest.mark.parametrize("name", PROGRAMS)
def test_same_labels(
    name: str, setting: Callable[[], Iterator[None]], expected: dict[str, list[Tensor]]
) -> None:
    with setting():  # type: ignore[attr-defined]
        found = PROGRAMS[name]()
    assert all(map(torch.equal, found, expected[name]))


@pytest.mark.parametrize("name", corruption_names(include_styles=False))
def test_same_corruption(name: str) -> None:
    corruption = parse_corruption(f"{name}:high")
    expected = list(corruption.apply(FRAMES[:2]))
    for setting in (numpy_raises, default_dtype, default_device):
        with setting():
            found = list(corruption.apply(FRAMES[:2]))
        assert all(map(np.array_equal, expected, found))


def test_metrics_in_any_process() -> None:
    predicted, true = (np.random.default_rng(s).integers(0, 3, (9, 8)) for s in (0, 1))

    def measured() -> list[float]:
        score, steady = SegmentationScore(3), VideoConsistency(2)
        for _ in range(3):
            score.update(predicted, true)
            steady.update(predicted, true)
        steady.end_video()
        return [score.miou(), score.wiou(), steady.value()]

    expected = measured()
    for setting in (numpy_raises, default_dtype, default_device, deterministic):
        with setting():
            assert measured() == expected


def test_the_conformance_suites_make_their_own_data_on_the_cpu() -> None:
    with default_device():
        report = check_propagator(OpticalFlowPropagator, on_fail="report")
    assert report.ok, str(report)
