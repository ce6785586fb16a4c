"""Stage C step by step, against a second implementation written from the equations."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ditta_adapt import AdaptConfig, AttentionAddon, MaskVote, Training, wrap
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import IGNORE, Targets
from ditta_adapt.training.student import Student
from ditta_adapt.training.train import train_student
from tests.toys import NUM_CLASSES, ToyNet, ToySegmenter, toy_segmenter, toy_video
from tests.training.runs import SIZE, encodings, make_targets, no_anchor, run, upsampled


def test_default_steps_by_hand() -> None:
    """Plain loop: cross-entropy of both branches, previous frame detached, AdamW."""
    training = Training(passes=2, learning_rate=1e-2, class_balance=0.0)
    history, student = run(AdaptConfig(training=training, memory=None))

    net = ToyNet().eval()
    optimizer = torch.optim.AdamW(net.decoder.parameters(), lr=1e-2)
    frames, targets = toy_video(3, SIZE), make_targets(3)
    for step in range(6):
        t = step % 3
        image = torch.from_numpy(frames[t]).permute(2, 0, 1)[None].float() / 127.5 - 1
        with torch.no_grad():
            encoded = net.encoder(image)
        loss = F.cross_entropy(
            upsampled(net.decoder(encoded)), targets.labels[t][None].long(), ignore_index=IGNORE
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert history[step]["total"] == pytest.approx(float(loss.detach()), rel=1e-5)
    for own, expected in zip(
        student.segmenter.model.decoder.parameters(), net.decoder.parameters(), strict=True
    ):
        torch.testing.assert_close(own, expected)


@pytest.mark.parametrize("balance", [0.0, 0.5])
def test_anchored_steps_by_hand(balance: float) -> None:
    """Plain loop: as much of the label as it is trusted, the rest of the frozen model."""
    training = Training(passes=2, learning_rate=1e-2, class_balance=balance)
    config = AdaptConfig(training=training, memory=None)
    generator = torch.Generator().manual_seed(5)
    plain = make_targets(2)
    # On the decoder's grid, and the frozen model is asked for its logits there.
    grid = (6, 7)
    labels = [frame[::2, ::2].contiguous() for frame in plain.labels]
    confidence = list(torch.rand(2, *grid, generator=generator))
    targets = Targets(labels, [], {}, True, "test", confidence)
    frames, net = toy_video(2, SIZE), ToyNet().eval()
    images = [torch.from_numpy(f).permute(2, 0, 1)[None].float() / 127.5 - 1 for f in frames]
    with torch.no_grad():
        encoded = [net.encoder(image) for image in images]
        frozen = [net.decoder(e) for e in encoded]

    student = Student.create(toy_segmenter(), config, 2)
    cache = encodings(student.segmenter, frames_to_tensors(frames))
    asked: list[int] = []

    def logits(t: int) -> Tensor:
        asked.append(t)
        return frozen[t]

    history = train_student(student, cache, targets, logits, config, silent).losses
    assert asked == [0, 1, 0, 1]

    every = torch.cat([frame[frame != IGNORE] for frame in labels]).long()
    share = torch.bincount(every, minlength=NUM_CLASSES) / len(every)
    by_class = share.clamp(min=1e-9) ** -balance / (share ** (1 - balance)).sum()
    optimizer = torch.optim.AdamW(net.decoder.parameters(), lr=1e-2)
    for step in range(4):
        t = step % 2
        known = labels[t] != IGNORE
        weight = torch.where(known, by_class[labels[t].long().clamp(min=0)], 1.0)
        trust = (confidence[t] * known)[None, None]
        onehot = F.one_hot(labels[t].long().clamp(min=0), NUM_CLASSES).permute(2, 0, 1)[None]
        wanted = trust * onehot + (1 - trust) * frozen[t].softmax(1)
        each = F.cross_entropy(net.decoder(encoded[t]), wanted, reduction="none")
        loss = (weight * each).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert history[step] == pytest.approx(
            {"distill": float(loss.detach()), "total": float(loss.detach())}, rel=1e-5
        )
    for own, expected in zip(
        student.segmenter.model.decoder.parameters(), net.decoder.parameters(), strict=True
    ):
        torch.testing.assert_close(own, expected)


def test_without_confidence_in_any_label_nothing_is_learned() -> None:
    """The frozen model's own distribution is where the anchored loss is least."""
    student = Student.create(
        toy_segmenter(), AdaptConfig(training=Training(weight_decay=0.0), memory=None), 1
    )
    before = [parameter.clone() for parameter in student.parameters()]
    frames = frames_to_tensors(toy_video(1, SIZE))
    cache = encodings(student.segmenter, frames)
    with torch.no_grad():
        frozen = student.segmenter.decode(cache[0]).logits.clone()
    targets = Targets(
        [torch.ones(6, 7, dtype=torch.int16)], [], {}, True, "test", [torch.zeros(6, 7)]
    )
    # Plain steps: of a gradient of nothing but rounding, Adam makes steps as large as any other.
    config = AdaptConfig(
        training=Training(weight_decay=0.0, passes=1, learning_rate=1e-9), memory=None
    )
    (step,) = train_student(student, cache, targets, lambda t: frozen, config, silent).losses
    entropy = -(frozen.softmax(1) * frozen.log_softmax(1)).sum(1).mean()
    assert step["distill"] == pytest.approx(float(entropy), rel=1e-5)
    for own, start in zip(student.parameters(), before, strict=True):
        torch.testing.assert_close(own, start, rtol=0, atol=1e-8)


def test_addon_term_from_the_second_frame_on() -> None:
    history, _ = run(AdaptConfig(training=Training(passes=2), memory=AttentionAddon()))
    assert [("distill_addon" in step) for step in history] == [False, True, True] * 2
    for step in history:
        parts = sum(value for name, value in step.items() if name != "total")
        assert step["total"] == pytest.approx(parts, rel=1e-6)


def test_steps_on_a_frame_in_a_row() -> None:
    """As if each frame were there several times, but for the frame before, which stays the same."""
    training = Training(passes=1, steps_per_frame=3)
    history, student = run(AdaptConfig(training=training, memory=AttentionAddon()))
    assert [("distill_addon" in step) for step in history] == [False] * 3 + [True] * 6
    torch.manual_seed(0)
    once = Student.create(toy_segmenter(), AdaptConfig(memory=None), 3)
    targets, tensors = make_targets(3), frames_to_tensors(toy_video(3, SIZE))
    thrice = [tensors[t] for t in (0, 0, 0, 1, 1, 1, 2, 2, 2)]
    repeated = replace(
        targets,
        labels=[targets.labels[t] for t in (0, 0, 0, 1, 1, 1, 2, 2, 2)],
        object_ids=[targets.object_ids[t] for t in (0, 0, 0, 1, 1, 1, 2, 2, 2)],
    )
    config = AdaptConfig(training=Training(passes=1), memory=None)
    cache = encodings(once.segmenter, thrice)
    expected = train_student(once, cache, repeated, no_anchor, config, silent).losses
    plain, same = run(replace(config, training=training))
    assert [step["total"] for step in plain] == pytest.approx([step["total"] for step in expected])
    for own, other in zip(same.parameters(), once.parameters(), strict=True):
        torch.testing.assert_close(own, other)
    # The add-on sees frame t - 1 as it was left, in all three steps on frame t.
    assert len(student.parameters()) > len(same.parameters())


def test_one_frame_has_no_addon() -> None:
    history, student = run(AdaptConfig(memory=AttentionAddon()), num_frames=1)
    assert student.addon is None
    assert all(set(step) == {"distill", "total"} for step in history)
    config = AdaptConfig(targets=MaskVote(prompt_threshold=0.3), safety=None)
    model = wrap(toy_segmenter(), config=config)
    assert model.adapt(toy_video(1)).adapted
    assert model(toy_video(2)[1]).shape == (37, 50)


def test_losses_fall() -> None:
    history, _ = run(
        AdaptConfig(training=Training(passes=30, learning_rate=1e-2), memory=AttentionAddon())
    )
    assert history[-1]["distill"] < 0.9 * history[2]["distill"]
    assert history[-1]["distill_addon"] < 0.9 * history[2]["distill_addon"]


def test_eval_mode_freezes_the_statistics_and_train_mode_moves_them() -> None:
    for mode, moves in (("eval", False), ("train", True)):
        _, student = run(AdaptConfig(training=Training(module_mode=mode)))
        norm = student.segmenter.model.decoder[1]
        assert torch.equal(norm.running_mean, ToyNet().decoder[1].running_mean) != moves
        assert int(norm.num_batches_tracked) == (6 if moves else 0)
        assert torch.equal(
            student.segmenter.model.encoder[1].running_mean, ToyNet().encoder[1].running_mean
        )
        assert not any(module.training for module in student.segmenter.model.modules())


def test_the_previous_frame_is_decoded_along_only_if_asked() -> None:
    for through in (False, True):
        calls: list[int] = []

        class Watching(ToySegmenter):
            def decode(self, encoded: Tensor) -> object:  # type: ignore[override]
                output = super().decode(encoded)
                calls.append(len(output.logits))  # noqa: B023
                return output

        config = AdaptConfig(
            training=Training(passes=1), memory=AttentionAddon(through_previous_frame=through)
        )
        torch.manual_seed(0)
        student = Student.create(Watching(ToyNet().eval()), config, 3)
        tensors = frames_to_tensors(toy_video(3, SIZE))
        cache = encodings(student.segmenter, tensors)
        train_student(student, cache, make_targets(3), no_anchor, config, silent)
        assert calls == [1, 2, 2] if through else [1, 1, 1]
