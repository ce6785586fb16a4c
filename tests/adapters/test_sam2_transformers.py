"""The teacher against transformers' own inference session, on small models with random weights."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from ditta_adapt import Prompt
from ditta_adapt.adapters._sam2_input import square_image
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from tests.adapters.sam2_video_models import (
    KINDS,
    SIDE,
    SIZE,
    Reference,
    counted_features,
    follow,
    prompts_of,
    small_model,
)
from tests.toys import toy_video

pytestmark = pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("size", "reverse"), [((37, 50), False), ((64, 64), True), ((91, 33), True)]
)
def test_masks_are_those_of_the_librarys_own_session(
    kind: str, size: tuple[int, int], reverse: bool
) -> None:
    model, frames = small_model(kind), toy_video(7, size)
    order = range(6, -1, -1) if reverse else range(7)
    prompts = prompts_of((3, 4), (size[1] - 1, size[0] - 1), (20, 30))
    reference = Reference(model, frames)
    reference.prompt(order[0], prompts)
    expected = reference.follow(order[0], reverse=reverse)
    with Sam2TransformersPropagator(model).open(frames) as session:
        found = follow(session, order, prompts)
    assert list(found) == list(expected)
    for t, masks in found.items():
        assert masks.object_ids.tolist() == [1, 2, 3]
        assert masks.masks.shape == (3, *size)
        assert torch.equal(masks.masks, expected[t]), f"frame {t}"
    # The comparison would be empty if the small models saw nothing, or the same everywhere.
    assert len({masks.masks.sum().item() for masks in found.values()}) > 3
    assert 0.01 < torch.stack([masks.masks for masks in found.values()]).float().mean() < 0.99


def test_preprocessing_by_hand() -> None:
    model = small_model()
    images: list[Tensor] = []
    model.vision_encoder.register_forward_pre_hook(lambda module, args: images.append(args[0]))
    still = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    # Columns in turn black and white, four to a pixel of the model: grey, if anti-aliased.
    stripes = np.zeros((4 * SIDE, 4 * SIDE, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    for frame in (still, stripes):
        region = torch.zeros(frame.shape[:2], dtype=torch.bool)
        with Sam2TransformersPropagator(model).open([frame]) as session:
            session.prompt(0, [Prompt(1, (3, 4), region)])
    found = [image[0].permute(1, 2, 0).numpy() for image in images]
    np.testing.assert_allclose(found[0], (still / 255 - mean) / std, atol=1e-5)
    inner = found[1][2:-2, 2:-2]
    np.testing.assert_allclose(inner, np.broadcast_to((0.5 - mean) / std, inner.shape), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_late_object_changes_no_earlier_track(kind: str) -> None:
    model, frames = small_model(kind), toy_video(7, SIZE)
    early, late = prompts_of((3, 4), (40, 30)), prompts_of((20, 20), first_id=7)
    with Sam2TransformersPropagator(model).open(frames) as session:
        alone = follow(session, range(7), early)
    reference = Reference(model, frames)
    reference.prompt(3, late)
    expected = reference.follow(3)
    with Sam2TransformersPropagator(model).open(frames) as session:
        follow(session, range(4), early)
        found = {3: session.prompt(3, late)}
        for t in range(3, 6):
            found[t + 1] = session.propagate(t, t + 1)
    for t, masks in found.items():
        assert masks.object_ids.tolist() == [1, 2, 7]
        assert torch.equal(masks.masks[:2], alone[t].masks)
        assert torch.equal(masks.masks[2:], expected[t])


def test_turning_round_is_as_in_the_library() -> None:
    model, frames = small_model(), toy_video(4, SIZE)
    order, prompts = [1, 2, 3, 2, 1, 0, 1, 2], prompts_of((3, 4), (40, 30))
    reference = Reference(model, frames)
    reference.prompt(order[0], prompts)
    model(reference.session, frame_idx=order[0])
    with Sam2TransformersPropagator(model).open(frames) as session:
        session.prompt(order[0], prompts)
        for t, to in pairwise(order):
            output = model(reference.session, frame_idx=to, reverse=to < t)
            found = session.propagate(t, to)
            assert torch.equal(found.masks, reference.masks(output.pred_masks)), (t, to)


@pytest.mark.parametrize("at_once", [1, 2, 3, 8])
def test_in_batches_of_any_size_masks_are_those_of_the_library(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ditta_adapt.adapters.sam2_transformers.batches.AT_ONCE", at_once)
    model, frames = small_model(), toy_video(7, SIZE)
    prompts = prompts_of((3, 4), (40, 30), (20, 10), (8, 25), (30, 18))
    reference = Reference(model, frames)
    reference.prompt(0, prompts)
    expected = reference.follow(0, reverse=False)
    with Sam2TransformersPropagator(model).open(frames) as session:
        session.prompt(0, prompts)
        for t, to in pairwise(range(7)):
            assert torch.equal(session.propagate(t, to).masks, expected[to])
        # Back to where they were prompted, whose masks are known.
        for t, to in pairwise(range(6, -1, -1)):
            back = session.propagate(t, to)
        assert back.object_ids.tolist() == [prompt.object_id for prompt in prompts]
        counts = [run.count for run in session._runs]
    assert sum(counts) == 5
    assert max(counts) <= at_once
    assert not model.memory_attention._forward_hooks


def test_no_prompt_no_masks() -> None:
    model, frames = small_model(), toy_video(3, SIZE)
    with (
        counted_features(model) as passes,
        Sam2TransformersPropagator(model).open(frames) as session,
    ):
        for masks in (session.prompt(1, []), session.propagate(1, 2), session.propagate(0, 1)):
            assert masks.object_ids.shape == (0,)
            assert masks.object_ids.dtype == torch.int64
            assert masks.masks.shape == (0, *SIZE)
            assert masks.masks.dtype == torch.bool
        assert passes == []
        seen = session.prompt(0, prompts_of((3, 4)))
        assert torch.equal(session.prompt(0, []).masks, seen.masks)


def test_object_out_of_sight_has_an_empty_mask() -> None:
    model, frames = small_model(), toy_video(3, SIZE)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(-100.0)
    with Sam2TransformersPropagator(model).open(frames) as session:
        found = follow(session, range(3), prompts_of((3, 4)))
    assert all(masks.object_ids.tolist() == [1] for masks in found.values())
    assert not any(masks.masks.any() for masks in found.values())


def test_ids_keep_the_order_of_prompting() -> None:
    region = torch.zeros(SIZE, dtype=torch.bool)
    with Sam2TransformersPropagator(small_model()).open(toy_video(3, SIZE)) as session:
        session.prompt(0, [Prompt(9, (3, 4), region), Prompt(2, (30, 20), region)])
        first = session.propagate(0, 1)
        assert first.object_ids.tolist() == [9, 2]
        both = session.prompt(1, [Prompt(5, (9, 9), region)])
        assert both.object_ids.tolist() == [9, 2, 5]
        assert torch.equal(both.masks[:2], first.masks)
        # What was handed out is the caller's.
        both.masks.fill_(False)
        assert session.prompt(1, []).masks.any()


def test_the_model_is_left_as_it_was_but_in_eval_mode() -> None:
    model, frames = small_model().train(), toy_video(3, SIZE)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with Sam2TransformersPropagator(model).open(frames) as session:
        masks = follow(session, range(3), prompts_of((3, 4)))
    assert not model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.requires_grad for parameter in model.parameters())
    # Ordinary tensors, not the library's inference tensors.
    assert not any(masks.masks.is_inference() for masks in masks.values())


def test_tensor_frames_and_views() -> None:
    model, frames = small_model(), toy_video(3, SIZE)
    read_only = [frame[::-1][::-1] for frame in frames]
    read_only[0].flags.writeable = False
    results = []
    for video in (frames, [torch.from_numpy(frame) for frame in frames], tuple(read_only)):
        with Sam2TransformersPropagator(model).open(video) as session:
            results.append(follow(session, range(3), prompts_of((3, 4)))[2].masks)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_runs_the_models_layers_and_keeps_its_weights(kind: str) -> None:
    model, frames = small_model(kind), toy_video(4, SIZE)
    seen: list[torch.dtype] = []
    model.vision_encoder.register_forward_hook(
        lambda module, args, output: seen.append(output.fpn_hidden_states[-1].dtype)
    )
    areas = {}
    for dtype in (torch.float32, torch.bfloat16):
        with Sam2TransformersPropagator(model, dtype=dtype).open(frames) as session:
            session.prompt(0, prompts_of((3, 4)))
            areas[dtype] = session.propagate(0, 1).masks.float().mean()
    assert seen == [torch.float32] * 2 + [torch.bfloat16] * 2
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert abs(areas[torch.float32] - areas[torch.bfloat16]) < 0.2


def test_device_argument_moves_the_model() -> None:
    moves: list[object] = []
    model = small_model()
    model.to = lambda device: moves.append(device) or model
    with Sam2TransformersPropagator(model, device="cpu").open(toy_video(1, SIZE)):
        pass
    assert moves == ["cpu"]


@pytest.mark.parametrize("kind", KINDS)
def test_masks_around_points_are_the_librarys_own(kind: str) -> None:
    """Of its pass over a single frame, which is what its image model does."""
    model = small_model(kind)
    frame = toy_video(1, (37, 50))[0]
    points = [(x, y) for y in (5, 18, 30) for x in range(2, 50, 4)]
    with Sam2TransformersPropagator(model).open([frame]) as session:
        found = session.auto_masks(0, points)
    assert found.logits.shape[0] == 3 * len(points)
    side = model.config.image_size
    image = square_image(torch.from_numpy(frame).permute(2, 0, 1), side)
    compared = 0
    for number, (x, y) in enumerate(points):
        with torch.no_grad():
            # It takes a point at a time, and gives the mask of which it expects most.
            expected = model._single_frame_forward(
                pixel_values=image,
                input_points=torch.tensor([[[[x * side / 50, y * side / 37]]]]),
                input_labels=torch.ones(1, 1, 1, dtype=torch.int32),
                multimask_output=True,
            )
        own = slice(3 * number, 3 * number + 3)
        quality = found.predicted_iou[own]
        torch.testing.assert_close(quality, expected.iou_scores.flatten(), atol=1e-5, rtol=1e-5)
        # Where it doubts that there is anything, its mask is empty.
        if expected.pred_masks.min() > -1000:
            best = found.logits[own][quality.argmax()]
            shown = expected.pred_masks.reshape(best.shape)
            torch.testing.assert_close(best, shown, atol=1e-4, rtol=1e-4)
            compared += 1
    assert compared
