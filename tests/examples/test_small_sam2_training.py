"""The pieces of the training of the small SAM2: losses, batches, going on where it stopped."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("cv2")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from transformers import Sam2VideoModel

from ditta_adapt import InputError
from examples.train_small_sam2 import __main__ as program
from examples.train_small_sam2 import training
from examples.train_small_sam2.batches import Stage, batches, collate, deepest_point
from examples.train_small_sam2.configuration import small_config
from examples.train_small_sam2.export import export
from examples.train_small_sam2.losses import frame_loss
from examples.train_small_sam2.muon import Muon, orthogonal
from examples.train_small_sam2.start import new_model, trained_model
from examples.train_small_sam2.tracking import Followed, Tracked
from examples.train_small_sam2.training import Plan, train

STAGES = (
    Stage(steps=3, side=64, frames=2, clips=1, clicks=0.5, forcing=0.5, balance=1.0),
    Stage(steps=3, side=96, frames=3, clips=1, clicks=0.5, forcing=0.5, balance=0.5),
)


def square(side: int = 16) -> torch.Tensor:
    truth = torch.zeros(1, side, side)
    truth[0, 4:12, 4:12] = 1
    return truth


def tracked(logits: torch.Tensor, iou: float = 1.0, score: float = 10.0) -> Tracked:
    return Tracked(logits[:, None], torch.full((1, 1), iou), torch.full((1,), score))


def test_a_right_answer_costs_nothing() -> None:
    # At a quarter of the input, where the square is 2 x 2 cells of 4 x 4.
    logits = torch.full((1, 4, 4), -40.0)
    logits[0, 1:3, 1:3] = 40
    losses = frame_loss(tracked(logits), square(), balance=1.0)
    # What remains is the soft edge of the upsampled logits.
    assert float(losses["mask"]) < 0.5
    assert float(losses["score"]) == pytest.approx(math.log1p(math.exp(-10)))
    wrong = frame_loss(tracked(-logits), square(), balance=1.0)
    assert float(wrong["mask"]) > 10


def test_an_even_answer_by_hand() -> None:
    # p = 1/2 everywhere: cross-entropy ln 2 whatever the balance; of 64 pixels at half the input
    # 16 are the object: dice = 1 - (2 * 8 + 1) / (32 + 16 + 1).
    for balance in (0.0, 0.5, 1.0):
        losses = frame_loss(tracked(torch.zeros(1, 4, 4), iou=0.25), square(), balance=balance)
        assert float(losses["mask"]) == pytest.approx(math.log(2) + 1 - 17 / 49)
        # Nothing is above 0, so the true IoU is 0.
        assert float(losses["iou"]) == pytest.approx(0.25**2)


def test_an_absent_object_has_only_a_score() -> None:
    losses = frame_loss(
        tracked(torch.zeros(1, 4, 4), score=0.0), torch.zeros(1, 16, 16), balance=1.0
    )
    assert float(losses["mask"]) == float(losses["iou"]) == 0
    # Four times as much as one that is there.
    assert float(losses["score"]) == pytest.approx(4 * math.log(2))


def test_the_score_of_an_object_of_which_a_few_pixels_are_left_is_not_asked_for() -> None:
    few, more = torch.zeros(2, 1, 64, 64)
    few[:, :2, :4], more[:, :3, :3] = 1, 1
    unsure = tracked(torch.zeros(1, 16, 16), score=-3.0)
    assert float(frame_loss(unsure, few, balance=0.0)["score"]) == 0
    expected = math.log1p(math.exp(3))
    assert float(frame_loss(unsure, more, balance=0.0)["score"]) == pytest.approx(expected)


def test_the_best_candidate_counts() -> None:
    good = torch.full((1, 4, 4), -40.0)
    good[0, 1:3, 1:3] = 40
    both = Tracked(torch.stack([-good, good], 1), torch.zeros(1, 2), torch.ones(1))
    alone = frame_loss(tracked(good), square(), balance=1.0)["mask"]
    assert float(frame_loss(both, square(), balance=1.0)["mask"]) == pytest.approx(float(alone))


def test_every_object_of_every_frame_counts_the_same() -> None:
    """On the first frame a point alone is answered, and counts as much as points are shown."""
    scores = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [0.0, 1.0, 1.0]])
    answers = [Tracked(torch.zeros(3, 1, 4, 4), torch.zeros(3, 1), row) for row in scores]
    followed = Followed(answers[:3], candidates=answers[3])
    loss = training._clip_losses(followed, torch.ones(3, 3, 16, 16).bool(), 0.4, 1.0)["score"]
    costs = [sum(math.log1p(math.exp(-float(score))) for score in row) / 3 for row in scores]
    expected = (0.2 * costs[0] + costs[1] + costs[2] + 0.2 * costs[3]) / 2.4
    assert float(loss) == pytest.approx(expected)
    unasked = training._clip_losses(followed, torch.ones(3, 3, 16, 16).bool(), 0.0, 1.0)["score"]
    assert float(unasked) == pytest.approx((costs[1] + costs[2]) / 2)


def test_deepest_point() -> None:
    mask = np.zeros((9, 9), bool)
    mask[2:7, 3:8] = True
    assert deepest_point(mask) == (5, 4)
    # The frame's border is an outline too.
    full = np.ones((5, 9), bool)
    assert deepest_point(full)[1] == 2


def test_collate() -> None:
    ids = np.zeros((2, 40, 40), np.uint8)
    ids[:, 2:20, 2:20], ids[:, 21:37, 21:37] = 1, 2
    ids[:, 0, :40] = 3
    frames = np.full((2, 40, 40, 3), 255, np.uint8)
    batch = collate([(frames, ids), (frames, ids)], np.random.default_rng(0), clicks=1.0)
    # The third object is smaller than 16 x 16 pixels: too small to be told of.
    assert batch.prompts.owner.tolist() == [0, 0, 1, 1]
    assert batch.truth.shape == (4, 2, 40, 40)
    assert sorted(batch.truth[:2, 0].sum((1, 2)).tolist()) == [256, 324]
    assert batch.prompts.clicked.all()
    for mask, (x, y) in zip(batch.prompts.masks, batch.prompts.points.long(), strict=True):
        assert mask[y, x] == 1
    # White, with ImageNet's statistics.
    white = (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(batch.images[1, 0, :, 3, 4], white, rtol=1e-5)


def test_workers_do_not_change_the_batches() -> None:
    stage = STAGES[0]
    own, others = (list(batches(stage, (0, 0), range(3), workers)) for workers in (0, 2))
    for first, second in zip(own, others, strict=True):
        assert torch.equal(first.frames, second.frames)
        assert torch.equal(first.prompts.points, second.prompts.points)
    assert not torch.equal(own[0].frames, own[1].frames)


def test_a_clip_is_used_four_times_a_while_apart() -> None:
    """Told apart by the sum of their channels, which are swapped, and in a mirror too."""
    stage = Stage(steps=1, side=32, frames=1, clips=1, clicks=0.0, forcing=0.0, balance=0.0)
    steps = range(9 * 24)
    uses: dict[bytes, list[int]] = {}
    for step, batch in zip(steps, batches(stage, (3, 0), steps, 0), strict=True):
        for frames in batch.frames.sum(-1).numpy():
            known = min(frames.tobytes(), np.ascontiguousarray(frames[:, :, ::-1]).tobytes())
            uses.setdefault(known, []).append(step)
    for at in uses.values():
        assert np.diff(at).tolist() == [24] * (len(at) - 1)
        assert len(at) <= 4
    # Neither begun before the first step nor going on after the last.
    whole = [at for at in uses.values() if min(at) >= 3 * 24 and max(at) < 6 * 24]
    assert all(len(at) == 4 for at in whole)
    assert sum(len(at) == 4 for at in uses.values()) >= 24


@pytest.mark.parametrize("shape", [(24, 40), (40, 24), (16, 16)])
def test_muon_steps_as_the_librarys_but_for_its_rounding(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    ours, theirs = (torch.nn.Parameter(torch.ones(shape)) for _ in range(2))
    optimizers = (
        Muon([ours], lr=0.1, weight_decay=0.05),
        torch.optim.Muon(
            [theirs], lr=0.1, weight_decay=0.05, ns_steps=4, adjust_lr_fn="match_rms_adamw"
        ),
    )
    for _ in range(3):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        before = theirs.detach().clone()
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            # bfloat16 keeps less than three digits.
            assert float((ours - theirs).norm()) < 0.03 * float((theirs - before).norm())
            theirs.copy_(ours)


def test_orthogonal_makes_singular_values_alike() -> None:
    torch.manual_seed(0)
    matrix = torch.randn(20, 50, dtype=torch.float64)
    values = torch.linalg.svdvals(orthogonal(matrix, 5))
    # The coefficients trade exactness for speed: 0.7 to 1.2.
    assert float(values.min()) > 0.65
    assert float(values.max()) < 1.25
    assert torch.equal(orthogonal(torch.zeros(3, 2), 5), torch.zeros(3, 2))


def test_a_batch_without_clicks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "evaluate", lambda model: {})
    masks_only = replace(STAGES[0], steps=1, clicks=0.0)
    weights = train(Plan((masks_only,), every=1), tmp_path, torch.device("cpu"))
    assert all(bool(tensor.isfinite().all()) for tensor in weights.values())
    (line,) = json.loads((tmp_path / "curve.json").read_text())
    assert all(math.isfinite(value) for value in line.values())


def test_written_weights_are_those_given_at_the_asked_size(tmp_path: Path) -> None:
    model = training.averaged_model(Sam2VideoModel(small_config(64)).state_dict(), 64)
    line = dict.fromkeys(("minutes", "mask", "J_mask", "J_point", "gone", "there"), 1.0)
    (tmp_path / "curve.json").write_text(json.dumps([line]))
    export(model.state_dict(), 96, tmp_path)
    written = Sam2VideoModel.from_pretrained(tmp_path / "weights")
    assert written.config.image_size == 96
    for name, weight in model.named_parameters():
        assert torch.equal(written.get_parameter(name), weight.to(torch.float16))
    assert (tmp_path / "curve.png").stat().st_size > 1000


def test_a_run_goes_on_from_written_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "evaluate", lambda model: {"J_mask": 0.0})
    model = new_model(small_config(64), seed=5)
    model.save_pretrained(tmp_path / "weights")
    # So slow that nothing moves.
    still = replace(STAGES[1], steps=1)
    plan = Plan((still,), learning_rate=1e-12, start=tmp_path / "weights")
    after = train(plan, tmp_path, torch.device("cpu"))
    for name, weight in model.named_parameters():
        torch.testing.assert_close(after[name], weight)
    with pytest.raises(InputError, match="begun with other"):
        train(replace(plan, start=None), tmp_path, torch.device("cpu"))


def test_the_command_line_decides_the_run() -> None:
    def planned(*arguments: str, device: str = "cpu") -> Plan:
        options = program.read(["--out", "runs", *arguments])
        return program.plan(options, torch.device(device))

    whole = planned("--seed", "3")
    assert [stage.steps for stage in whole.stages] == [1200, 1500, 700, 500, 650]
    assert (whole.seed, whole.start, whole.workers) == (3, None, 0)
    # Weights that were trained before: the largest frames alone, and half the rate.
    (further,) = planned("--weights", "before", "--share", "2").stages
    assert further == replace(whole.stages[-1], steps=1300)
    assert planned("--weights", "before").learning_rate == whole.learning_rate / 2
    assert planned("--weights", "before").start == Path("before")
    on_gpu = planned(device="cuda")
    assert on_gpu.workers == 12
    assert on_gpu.steps > whole.steps
    assert planned("--workers", "3", device="cuda").workers == 3


@pytest.mark.parametrize("share", ["0", "-1", "inf", "nan"])
def test_a_share_of_the_steps_is_above_zero(share: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        program.read(["--out", "runs", f"--share={share}"])
    assert "--share takes a number above 0" in capsys.readouterr().err


def test_weights_to_start_from_that_are_none_or_of_another_architecture(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no weights of a small SAM2"):
        trained_model(small_config(64), tmp_path / "nowhere")
    other = small_config(64)
    other.mask_decoder_config.iou_head_hidden_dim = 64
    new_model(other, seed=0).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match="another architecture"):
        trained_model(small_config(64), tmp_path / "other")
    less = small_config(64)
    less.memory_attention_num_layers = 1
    new_model(less, seed=0).save_pretrained(tmp_path / "less")
    with pytest.raises(InputError, match=r"another architecture.*memory_attention\.layers\.1"):
        trained_model(small_config(64), tmp_path / "less")


class Stop(BaseException):
    """What kills a run."""


def test_a_stopped_run_goes_on_and_ends_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "evaluate", lambda model: {"J_mask": 0.0})
    # Stopped within a stage, and before the one of another size.
    stages = (replace(STAGES[0], steps=2), replace(STAGES[1], steps=1))
    plan, cpu = Plan(stages, every=1), torch.device("cpu")
    folders = [tmp_path / name for name in ("whole", "stopped")]
    for folder in folders:
        folder.mkdir()
    whole = train(plan, folders[0], cpu)
    step = training._step

    def stop_at_two(run, *arguments):
        if run.step == 1:
            raise Stop
        return step(run, *arguments)

    monkeypatch.setattr(training, "_step", stop_at_two)
    with pytest.raises(Stop):
        train(plan, folders[1], cpu)
    monkeypatch.setattr(training, "_step", step)
    again = train(plan, folders[1], cpu)
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[name], again[name]) for name in whole)
    with pytest.raises(InputError, match="other stages, seed, weights or pictures"):
        train(Plan(stages, seed=1), folders[1], cpu)
    curves = [(folder / "curve.json").read_text() for folder in folders]
    assert curves[0].count('"step"') == curves[1].count('"step"') == 3
