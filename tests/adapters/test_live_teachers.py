"""Every teacher on a video that comes in frame by frame: as on the whole, in constant memory."""

import gc
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import FeatureSource, LiveFrames, Prompt, PropagationError, Propagator
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from tests.adapters import sam2_video_models
from tests.toys import StillPropagator, toy_video

pytestmark = pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")

SIZE = (37, 50)


def of_transformers(kind: str, mask_prompts: bool) -> Callable[[], Propagator]:
    return lambda: Sam2TransformersPropagator(
        sam2_video_models.small_model(kind), mask_prompts=mask_prompts
    )


def of_the_package(mask_prompts: bool) -> Callable[[], Propagator]:
    def build() -> Propagator:
        models = pytest.importorskip("tests.adapters.sam2_package_models", exc_type=ImportError)
        from ditta_adapt.adapters.sam2 import SAM2Propagator

        return SAM2Propagator(models.small_predictor(), mask_prompts=mask_prompts)

    return build


def of_cutie() -> Propagator:
    networks = pytest.importorskip("tests.adapters.cutie_networks", exc_type=ImportError)
    from ditta_adapt.adapters.cutie import CutiePropagator

    return CutiePropagator(networks.small_cutie())


TEACHERS: dict[str, Callable[[], Propagator]] = {
    "flow": OpticalFlowPropagator,
    "flow, scaled": lambda: OpticalFlowPropagator(max_side=32),
    "still": StillPropagator,
    "sam2-hf": of_transformers("Sam2Video", False),
    "sam2-hf, masks": of_transformers("Sam2Video", True),
    "edgetam": of_transformers("EdgeTamVideo", False),
    "edgetam, masks": of_transformers("EdgeTamVideo", True),
    "sam2": of_the_package(False),
    "sam2, masks": of_the_package(True),
    "cutie": of_cutie,
}
# Longer than what the small models look back on: 8 frames with transformers, 16 with the package.
# What starts from a mask goes on in the same way.
LENGTHS = dict.fromkeys(TEACHERS, 8) | {"sam2-hf": 12, "edgetam": 12, "sam2": 20}
# Built once: sessions share no state.
teacher_of = cache(lambda name: TEACHERS[name]())
SAM2 = [name for name in TEACHERS if name.startswith(("sam2", "edgetam"))]


def block(object_id: int, top: int, left: int, side: int = 14) -> Prompt:
    region = torch.zeros(SIZE, dtype=torch.bool)
    region[top : top + side, left : left + side] = True
    return Prompt(object_id, (left + side // 2, top + side // 2), region)


def follow(
    teacher: Propagator, frames: Sequence[Any], video: Sequence[np.ndarray], late: int = 4
) -> list[Tensor]:
    """Two objects from the start, a third one later; frames that are not there yet are added."""
    with teacher.open(frames) as session:
        found = [session.prompt(0, [block(5, 2, 3), block(2, 20, 30)]).masks]
        for t in range(1, len(video)):
            if isinstance(frames, LiveFrames):
                frames.append(video[t])
            found.append(session.propagate(t - 1, t).masks)
            if t == late:
                found[t] = session.prompt(t, [block(9, 8, 25)]).masks
    return found


def live(video: Sequence[np.ndarray]) -> LiveFrames:
    frames = LiveFrames()
    frames.append(video[0])
    return frames


@pytest.mark.parametrize("name", TEACHERS)
def test_growing_is_whole(name: str) -> None:
    video, teacher = toy_video(LENGTHS[name], SIZE), teacher_of(name)
    whole = follow(teacher, video, video)
    growing = follow(teacher, live(video), video)
    for t, (one, other) in enumerate(zip(whole, growing, strict=True)):
        assert torch.equal(one, other), t
    # Not by chance: there is something to follow, and it differs from frame to frame.
    assert whole[-1].shape == (3, *SIZE)
    if name != "still":
        assert len({tuple(masks.flatten(1).sum(1).tolist()) for masks in whole}) > 5


@pytest.mark.parametrize("name", ["sam2-hf", "edgetam", "sam2"])
def test_memory_is_constant(name: str) -> None:
    video, teacher = toy_video(LENGTHS[name] + 5, SIZE), teacher_of(name)
    checked = (LENGTHS[name], LENGTHS[name] + 4)
    frames, kept = live(video), {}
    with teacher.open(frames) as session:
        session.prompt(0, [block(1, 2, 3)])
        for t in range(1, len(video)):
            frames.append(video[t])
            session.propagate(t - 1, t)
            if t in checked:
                gc.collect()
                # By type: isinstance would wake up lazy proxies of other libraries.
                kept[t] = sum(issubclass(type(thing), Tensor) for thing in gc.get_objects())
    assert len(set(kept.values())) == 1


def test_flows_are_kept_while_their_frames_are() -> None:
    video = toy_video(6, SIZE)
    for frames, pairs in ((list(video), 5), (live(video), 1)):
        with OpticalFlowPropagator().open(frames) as session:
            for t in range(1, 6):
                if isinstance(frames, LiveFrames):
                    frames.append(video[t])
                session.warp(torch.zeros(1, 4, 4), t - 1, t)
            assert len(session._video._flows) == pairs


@pytest.mark.parametrize("name", SAM2)
def test_two_live_sessions_keep_features_of_kept_frames_only(name: str) -> None:
    video, teacher = toy_video(6, SIZE), teacher_of(name)
    frames: Any = live(video)
    with teacher.open(frames) as first, teacher.open(frames) as second:
        for session in (first, second):
            session.prompt(0, [block(1, 2, 3)])
        for t in range(1, 6):
            frames.append(video[t])
            for session in (first, second):
                session.propagate(t - 1, t)
        assert set(first._video._kept) <= {4, 5}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["flow", *SAM2])
def test_a_frame_that_has_not_come(name: str) -> None:
    video = toy_video(3, SIZE)
    frames = live(video)
    with teacher_of(name).open(frames) as session:
        session.prompt(0, [block(1, 2, 3)])
        with pytest.raises(PropagationError):
            session.propagate(0, 1)
        frames.append(video[1])
        assert session.propagate(0, 1).object_ids.tolist() == [1]


@pytest.mark.parametrize("name", TEACHERS)
def test_open_when_the_first_frames_are_gone(name: str, unchecked: None) -> None:
    video = toy_video(5, SIZE)
    frames = live(video[:1])
    for frame in video[1:4]:
        frames.append(frame)
    if name == "still":
        pytest.skip("looks at the first frame")
    with teacher_of(name).open(frames) as session:
        session.prompt(3, [block(1, 2, 3)])
        frames.append(video[4])
        assert session.propagate(3, 4).masks.shape == (1, *SIZE)


# Masks as prompts.


@pytest.mark.parametrize("kind", sam2_video_models.KINDS)
def test_mask_prompts_are_those_of_transformers(kind: str) -> None:
    from transformers import Sam2VideoProcessor

    model, video = sam2_video_models.small_model(kind), toy_video(7, SIZE)
    prompts = [block(5, 2, 3), block(2, 20, 30, side=1)]
    reference = sam2_video_models.Reference(model, video)
    # Of the processor only the part for masks, which needs no image processor.
    processor = type("Masks", (), {"target_size": sam2_video_models.SIDE})()
    Sam2VideoProcessor.process_new_mask_for_video_frame(
        processor, reference.session, 0, [5, 2], [prompt.region for prompt in prompts]
    )
    expected = reference.follow(0)
    with Sam2TransformersPropagator(model, mask_prompts=True).open(video) as session:
        found = sam2_video_models.follow(session, range(7), prompts)
    for t, masks in found.items():
        assert masks.object_ids.tolist() == [5, 2]
        assert torch.equal(masks.masks, expected[t]), t
    inside = found[0].masks[0] & prompts[0].region
    assert inside.sum() > 0.8 * (found[0].masks[0] | prompts[0].region).sum()


def test_mask_prompts_are_those_of_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("tests.adapters.sam2_package_models", exc_type=ImportError)
    from ditta_adapt.adapters.sam2 import SAM2Propagator

    predictor, video = models.small_predictor(), toy_video(7, SIZE)
    prompts = [block(5, 2, 3), block(2, 20, 30, side=1)]
    state = models.package_state(predictor, video, monkeypatch)
    for prompt in prompts:
        predictor.add_new_mask(state, 0, prompt.object_id, prompt.region)
    expected = {t: logits[:, 0] > 0 for t, _, logits in predictor.propagate_in_video(state)}
    with SAM2Propagator(predictor, mask_prompts=True).open(video) as session:
        found = [session.prompt(0, prompts), *(session.propagate(t, t + 1) for t in range(6))]
    for t, masks in enumerate(found):
        assert masks.object_ids.tolist() == [5, 2]
        assert torch.equal(masks.masks, expected[t]), t
    inside = found[0].masks[0] & prompts[0].region
    assert inside.sum() > 0.8 * (found[0].masks[0] | prompts[0].region).sum()


# Image features.


@pytest.mark.parametrize("name", SAM2)
def test_features_are_those_of_the_image_encoder(name: str) -> None:
    video, teacher = toy_video(2, SIZE), teacher_of(name)
    images = sam2_video_models.pixels_of(video)
    with teacher.open(video) as session:
        assert isinstance(session, FeatureSource)
        session.prompt(0, [block(1, 2, 3)])
        session.propagate(0, 1)
        found = session.features(1)
    with torch.no_grad():
        if name.startswith(("sam2-hf", "edgetam")):
            encoded = teacher.model.vision_encoder(images[1:])  # type: ignore[attr-defined]
            expected = encoded.fpn_hidden_states[-1][0]
        else:
            encoded = teacher.predictor.image_encoder(images[1:])  # type: ignore[attr-defined]
            expected = encoded["backbone_fpn"][-1][0]
    assert found.shape[1:] == (4, 4)
    assert not found.is_inference()
    torch.testing.assert_close(found, expected)


def test_flow_has_no_features() -> None:
    with OpticalFlowPropagator().open(toy_video(2, SIZE)) as session:
        assert not isinstance(session, FeatureSource)
