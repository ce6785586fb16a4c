"""The differentiable way through a clip gives what the library's own session gives."""

import pytest
import torch

transformers = pytest.importorskip("transformers")

from examples.train_small_sam2.configuration import small_config  # noqa: E402
from examples.train_small_sam2.start import new_model  # noqa: E402
from examples.train_small_sam2.tracking import ClipTracker, Prompts  # noqa: E402

SIDE, FRAMES = 64, 9
POINT = (30.0, 31.0)


@pytest.fixture(scope="module")
def model() -> object:
    """A random model in which everything matters, also what starts as zero."""
    model = new_model(small_config(SIDE), seed=0).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in (
        model.no_memory_embedding,
        model.memory_temporal_positional_encoding,
        model.no_object_pointer,
        model.occlusion_spatial_embedding_parameter,
    ):
        parameter.data.normal_(0, 0.3, generator=generator)
    return model


def images() -> torch.Tensor:
    return torch.randn(1, FRAMES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


def first_mask() -> torch.Tensor:
    mask = torch.zeros(1, SIDE, SIDE)
    mask[0, 20:40, 16:50] = 1
    return mask


def of_the_library(model, clicked: bool) -> list[dict]:
    session = transformers.Sam2VideoInferenceSession(
        video=images()[0], video_height=SIDE, video_width=SIDE, dtype=torch.float32
    )
    index = session.obj_id_to_idx(1)
    if clicked:
        point = {
            "point_coords": torch.tensor([[[POINT]]]),
            "point_labels": torch.ones(1, 1, 1, dtype=torch.int32),
        }
        session.add_point_inputs(index, 0, point)
    else:
        session.add_mask_inputs(index, 0, first_mask()[None])
    session.obj_with_new_inputs = [1]
    for _ in model.propagate_in_video_iterator(session, start_frame_idx=0):
        pass
    stored = session.output_dict_per_obj[0]
    past = stored["cond_frame_outputs"] | stored["non_cond_frame_outputs"]
    return [past[t] for t in range(FRAMES)]


@pytest.mark.parametrize("bias", [-3.0, 3.0], ids=["out of sight", "in sight"])
@pytest.mark.parametrize("candidates", [True, False], ids=["candidates", "one mask"])
@pytest.mark.parametrize("clicked", [True, False], ids=["point", "mask"])
def test_equals_the_library(
    model, monkeypatch: pytest.MonkeyPatch, clicked: bool, candidates: bool, bias: float
) -> None:
    model.mask_decoder.pred_obj_score_head.proj_out.bias.data.fill_(bias)
    monkeypatch.setattr(model.config, "multimask_max_pt_num", int(candidates))
    prompts = Prompts(
        torch.tensor([0]), first_mask(), torch.tensor([POINT]), torch.tensor([clicked])
    )
    with torch.no_grad():
        own = ClipTracker(model).run(images(), prompts)
    frames = [own.candidates if candidates else own.frames[0], *own.frames[1:]]
    for t, (found, expected) in enumerate(zip(frames, of_the_library(model, clicked), strict=True)):
        if t == 0 and not clicked:
            # The library answers a mask with the mask itself.
            continue
        # It keeps memories in bfloat16.
        torch.testing.assert_close(
            found.score, expected["object_score_logits"][0, 0], atol=5e-3, rtol=0
        )
        if bias > 0:
            best = int(found.iou[0].argmax())
            torch.testing.assert_close(
                found.logits[0, best], expected["pred_masks"][0, 0], atol=2e-2, rtol=0
            )


def test_every_parameter_gets_a_gradient(model) -> None:
    model.mask_decoder.pred_obj_score_head.proj_out.bias.data.fill_(3.0)
    model.train()
    prompts = Prompts(
        torch.tensor([0, 0]),
        first_mask().repeat(2, 1, 1),
        torch.tensor([POINT, POINT]),
        torch.tensor([True, False]),
    )
    truth = first_mask().expand(2, FRAMES, SIDE, SIDE).clone()
    truth[:, 4] = 0
    followed = ClipTracker(model).run(images(), prompts, truth, forcing=0.5)
    answers = [*followed.frames, followed.candidates]
    sum(a.logits.square().mean() + a.iou.mean() + a.score.mean() for a in answers).backward()
    without = {name for name, parameter in model.named_parameters() if parameter.grad is None}
    model.zero_grad()
    model.eval()
    # Negative points and boxes are never shown; the rest the video model does not read.
    assert without <= {"no_memory_positional_encoding"}, without


def test_a_point_is_answered_for_objects_shown_by_a_mask_too(model) -> None:
    clips, answers = images()[:, :2], []
    for clicked in (True, False):
        prompts = Prompts(
            torch.tensor([0]), first_mask(), torch.tensor([POINT]), torch.tensor([clicked])
        )
        with torch.no_grad():
            answers.append(ClipTracker(model).run(clips, prompts))
    point, mask = answers
    assert torch.equal(point.frames[0].logits, mask.frames[0].logits)
    assert torch.equal(point.candidates.logits, mask.candidates.logits)
    assert point.candidates.logits.shape[1] == 3
    assert not torch.equal(point.frames[1].logits, mask.frames[1].logits)


@pytest.mark.parametrize("forget", [0.0, 1.0])
def test_what_is_forgotten_has_no_say(model, forget: float) -> None:
    """A third frame after two different second ones."""
    prompts = Prompts(torch.tensor([0]), first_mask(), torch.tensor([POINT]), torch.tensor([False]))
    clips = images()[:, :3].repeat(2, 1, 1, 1, 1)[:, None]
    clips[1, 0, 1] += 1
    with torch.no_grad():
        one, other = (ClipTracker(model).run(clip, prompts, forget=forget).frames for clip in clips)
    assert not torch.equal(one[1].logits, other[1].logits)
    assert torch.equal(one[2].logits, other[2].logits) == (forget == 1)
