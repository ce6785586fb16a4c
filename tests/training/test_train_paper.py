"""The released program's terms: the contrastive one, the momentum model, pairs of frames."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from ditta_adapt import AdaptConfig, Contrast, MaskVote, Training
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.targets.targets import IGNORE
from ditta_adapt.training.student import Student
from ditta_adapt.training.train import train_student
from tests.toys import NUM_CLASSES, ToyNet, toy_segmenter, toy_video
from tests.training.runs import SIZE, encodings, make_targets, no_anchor, run, upsampled


def test_as_printed_has_every_term() -> None:
    history, _ = run(AdaptConfig.as_printed())
    assert len(history) == 15
    assert all(set(step) == {"distill", "contrast", "total"} for step in history[:5])
    names = {"distill", "distill_addon", "contrast", "total"}
    assert all(set(step) == names for step in history[5:])


def test_contrastive_term_by_loops() -> None:
    """Eq. 6 and 7 for the first step, where live and momentum model are the same."""
    config = AdaptConfig(
        targets=MaskVote(), training=Training(passes=1, contrast=Contrast(weight=2.0)), seed=4
    )
    torch.manual_seed(config.seed)
    student = Student.create(toy_segmenter(), config, 2)
    assert student.projection is not None
    projection = copy.deepcopy(student.projection)
    net, targets = ToyNet().eval(), make_targets(1)
    frame = toy_video(1, SIZE)[0]
    with torch.no_grad():
        encoded = net.encoder(torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 127.5 - 1)
        features = F.normalize(projection(net.decoder[:3](encoded)), dim=1)
        features = F.normalize(upsampled(features), dim=1)[0].double()
        p = upsampled(net.decoder(encoded)).softmax(1)[0].double()
    entropy = -(p * p.log()).sum(0)
    reliable = 1 - entropy / entropy.max()
    ids = targets.object_ids[0]
    prototypes = []
    for object_id in (1, 2, 3):
        inside = ids == object_id
        mean = (features[:, inside] * reliable[inside]).mean(1)
        prototypes.append(mean / mean.norm())
    total = 0.0
    for y in range(SIZE[0]):
        for x in range(SIZE[1]):
            if ids[y, x] > 0:
                scores = torch.stack([features[:, y, x] @ v for v in prototypes])
                total -= float(scores.log_softmax(0)[int(ids[y, x]) - 1])
    expected = 2.0 * total / (SIZE[0] * SIZE[1])

    tensors = frames_to_tensors([frame])
    cache = encodings(student.segmenter, tensors)
    history = train_student(student, cache, targets, no_anchor, config, silent).losses
    assert history[0]["contrast"] == pytest.approx(expected, rel=1e-5)


def test_momentum_model_is_an_average() -> None:
    config = AdaptConfig(targets=MaskVote(), training=Training(contrast=Contrast(weight=1.0)))
    live = Student.create(toy_segmenter(), config, 2)
    momentum = live.clone()
    start = [parameter.clone() for parameter in momentum.parameters()]
    with torch.no_grad():
        for parameter in live.parameters():
            parameter.add_(1.0)
    for _ in range(3):
        momentum.ema_update(live, 0.9)
    # After n steps towards a constant s: s + rate^n (start - s).
    for before, after in zip(start, momentum.parameters(), strict=True):
        torch.testing.assert_close(after, before + 1 - 0.9**3)
    assert momentum.addon is None


def test_paper_preset_has_every_term() -> None:
    config = AdaptConfig.paper()
    history, _ = run(config)
    assert len(history) == 15
    assert set(history[0]) == {"distill", "contrast", "total"}
    assert set(history[1]) == {"distill", "distill_addon", "contrast", "total"}
    # Fed with probabilities the loss has a floor; ignored rows count as 0 in its mean.
    floor = (10 / 12) * torch.tensor(1 + (NUM_CLASSES - 1) / torch.e).log()
    assert all(step["distill"] >= float(floor) - 1e-6 for step in history)


def test_a_pair_is_normalised_together_as_in_the_released_program() -> None:
    """Train mode, by hand: frame t and t-1 in one batch, gradients through both."""
    paper = AdaptConfig.paper()
    config = replace(paper, training=replace(paper.training, passes=1, contrast=None))
    torch.manual_seed(0)
    student = Student.create(toy_segmenter(), config, 2)
    net = ToyNet().eval()
    for decoder in (student.segmenter.model.decoder, net.decoder):
        decoder[3].p = 0.0
    addon = copy.deepcopy(student.addon)
    frames, targets = toy_video(2, SIZE), make_targets(2)
    tensors = frames_to_tensors(frames)
    cache = encodings(student.segmenter, tensors)
    history = train_student(student, cache, targets, no_anchor, config, silent).losses

    net.decoder.train()
    optimizer = torch.optim.AdamW([*net.decoder.parameters(), *addon.parameters()], lr=1e-3)
    with torch.no_grad():
        encoded = [net.encoder(frame[None].float() / 127.5 - 1) for frame in tensors]
    for t in range(2):
        batch = torch.cat([encoded[1], encoded[0]]) if t else encoded[0]
        features = net.decoder[:3](batch)
        logits = net.decoder[3:](features)
        branches = [logits[:1]]
        if t:
            branches.append(addon(features[:1], features[1:], logits[1:]))
        label = targets.labels[t][None].long()
        loss = sum(
            F.cross_entropy(upsampled(z).softmax(1), label, ignore_index=IGNORE, reduction="sum")
            / label.numel()
            for z in branches
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert history[t]["total"] == pytest.approx(float(loss.detach()), rel=1e-5)
    norm, own = net.decoder[1], student.segmenter.model.decoder[1]
    torch.testing.assert_close(own.running_mean, norm.running_mean)
    for name, expected in net.decoder.named_parameters():
        found = student.segmenter.model.decoder.get_parameter(name)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
