"""Work that is done once: encodings, flows, entry points, loads; and names against objects."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import AdaptConfig, MaskVote, SecondLook, VideoSegmenter, wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.models import registry as models
from ditta_adapt.teachers import registry as teachers
from tests.toys import ToyNet, ToySegmenter, prompting, toy_segmenter, toy_video

FRAMES = toy_video(16, size=(24, 30))


class Counting(ToySegmenter):
    """Counts the frames that it encodes."""

    def __init__(self) -> None:
        super().__init__(ToyNet().eval())
        # A list, so that the copies that a video model makes count here, too.
        self.encoded: list[int] = []

    def __deepcopy__(self, memo: dict[int, Any]) -> "Counting":
        twin = Counting()
        twin.model = memo.setdefault(id(self.model), _copied(self.model, memo))
        twin.encoded = self.encoded
        return twin

    def encode(self, images: Tensor) -> Tensor:
        self.encoded.append(len(images))
        return super().encode(images)


def _copied(model: torch.nn.Module, memo: dict[int, Any]) -> torch.nn.Module:
    from copy import deepcopy

    return deepcopy(model, memo)


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The groups of entry points that are read, as they are."""
    groups: list[str] = []
    for module in (models, teachers):
        real = module.entry_points

        def counted(*, group: str, real: Callable[..., Any] = real) -> Any:
            groups.append(group)
            return real(group=group)

        monkeypatch.setattr(module, "entry_points", counted)
    return groups


@pytest.fixture
def flows(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """The calls of OpenCV's flow."""
    cv2 = pytest.importorskip("cv2")
    calls: list[tuple[Any, ...]] = []
    create = cv2.DISOpticalFlow_create

    class Watched:
        def __init__(self, preset: int) -> None:
            self._dis = create(preset)

        def calc(self, *arguments: Any) -> np.ndarray:
            calls.append(arguments)
            return self._dis.calc(*arguments)

    monkeypatch.setattr(cv2, "DISOpticalFlow_create", Watched)
    return calls


ONCE = AdaptConfig(look=None)


@pytest.mark.parametrize("config", [ONCE, replace(ONCE, safety=None), AdaptConfig.paper()])
def test_a_frame_of_a_segmented_video_is_encoded_once(config: AdaptConfig) -> None:
    segmenter = Counting()
    labels = list(wrap(segmenter, config=prompting(config, 0.3)).segment(FRAMES, warmup=8))
    assert len(labels) == 16
    assert segmenter.encoded == [1] * 16


def test_second_looks_are_taken_as_planned() -> None:
    """One at every warm-up frame, mirrored; none when that is labelled; then two at three sizes."""
    segmenter = Counting()
    look = SecondLook(warmup_scales=(0.5, 2.0), scales=(0.5, 2.0), first=(1, 4), budget=0.0)
    list(wrap(segmenter, config=AdaptConfig(look=look)).segment(FRAMES, warmup=8))
    assert len(segmenter.encoded) == 16 + 8 * 5 + 2 * 2


def test_segment_labels_as_a_second_stream_over_the_video_would() -> None:
    model = wrap(toy_segmenter(), config=replace(ONCE, safety=None))
    labels = list(model.segment(FRAMES, warmup=8))
    model.adapt(FRAMES[:8])
    model.clear_memory()
    assert all(torch.equal(model(frame), own) for frame, own in zip(FRAMES, labels, strict=True))


def test_flow_is_computed_once_for_each_pair_and_direction(flows: list[tuple[Any, ...]]) -> None:
    """The check of the propagator, the dense vote and the memory look at the same seven pairs."""
    wrap(toy_segmenter(), propagator=OpticalFlowPropagator()).adapt(FRAMES[:8])
    assert len(flows) == 14


def test_a_streamed_frame_costs_one_flow_each_way(flows: list[tuple[Any, ...]]) -> None:
    model = wrap(toy_segmenter(), propagator=OpticalFlowPropagator())
    model.adapt(FRAMES[:4])
    flows.clear()
    for frame in FRAMES[4:9]:
        model(frame)
    assert len(flows) == 10


def test_masks_that_are_followed_by_flow_share_it(flows: list[tuple[Any, ...]]) -> None:
    config = AdaptConfig(targets=MaskVote(prompt_threshold=0.3), safety=None)
    wrap(toy_segmenter(), propagator=OpticalFlowPropagator(), config=config).adapt(FRAMES[:8])
    assert len(flows) == 14


def test_streaming_reads_no_entry_points(lookups: list[str]) -> None:
    model = wrap(toy_segmenter())
    model.adapt(FRAMES[:4])
    lookups.clear()
    for frame in FRAMES[4:9]:
        model(frame)
    assert lookups == []


def test_a_name_is_looked_up_at_the_door_and_at_the_first_need(lookups: list[str]) -> None:
    model = wrap(toy_segmenter(), propagator="flow")
    assert lookups == [teachers.PROPAGATORS]
    model(FRAMES[0])
    assert lookups == [teachers.PROPAGATORS]


def test_three_adaptations_load_a_checkpoint_once(monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    loads: list[str] = []
    real = transformers.AutoModel.from_pretrained

    def counted(source: Any, *arguments: Any, **options: Any) -> Any:
        loads.append(str(source))
        return real(source, *arguments, **options)

    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", counted)
    config = prompting(AdaptConfig(safety=None), 1.0)
    model = wrap(toy_segmenter(), propagator="sam2-small", config=config)
    for start in range(3):
        model.adapt(FRAMES[start : start + 1])
    assert len(loads) == 1


def test_a_name_and_its_object_give_the_same_labels() -> None:
    def streamed(model: VideoSegmenter) -> list[Tensor]:
        model.adapt(FRAMES[:4])
        return [model(frame) for frame in FRAMES[4:8]]

    by_name = streamed(wrap(toy_segmenter(), propagator="flow"))
    by_object = streamed(wrap(toy_segmenter(), propagator=OpticalFlowPropagator()))
    assert all(torch.equal(a, b) for a, b in zip(by_name, by_object, strict=True))
