"""The shipped SAM2, or one in the folder DITTA_SAM2: what it follows, and what it teaches.

DITTA_SAM2=runs/sam2/weights python -m pytest tests/adapters/test_trained_sam2.py
"""

import os
import socket
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

pytest.importorskip("transformers")
pytest.importorskip("cv2")
pytest.importorskip("skimage")
pytest.importorskip("sklearn")

from ditta_adapt import MaskVote, Prompt
from ditta_adapt.adapters.sam2_transformers import SMALL, Sam2TransformersPropagator
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.program import SEED
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.io.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.targets.mask_vote import mask_vote
from ditta_adapt.targets.targets import Targets
from ditta_adapt.targets.tracking import Tracks, track_objects
from ditta_adapt.targets.warm_up import WarmUp
from ditta_adapt.teachers.registry import find_propagator
from examples.train_small_sam2.clips import held_out_clips

WEIGHTS = os.environ.get("DITTA_SAM2", str(SMALL))
WARMUP = 5


@pytest.fixture(scope="module")
def teacher(small_sam2: Any) -> Sam2TransformersPropagator:
    return Sam2TransformersPropagator(small_sam2, mask_prompts=True)


@pytest.fixture(scope="module")
def street() -> tuple[list[np.ndarray], np.ndarray]:
    """A street scene as the demo's model was trained on, without any shift."""
    frames, labels = render_video(SEED, 4)
    return list(frames), labels


def follow(
    teacher: Sam2TransformersPropagator, frames: Sequence[np.ndarray], *regions: np.ndarray
) -> list[torch.Tensor]:
    """Masks `(N, H, W)` by frame of what is in these regions of the first one."""
    prompts = []
    for number, region in enumerate(regions, 1):
        rows, columns = np.nonzero(region)
        # The pixel nearest to the middle: inside of any shape.
        nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
        point = (int(columns[nearest]), int(rows[nearest]))
        prompts.append(Prompt(number, point, torch.from_numpy(region)))
    with teacher.open(frames) as session:
        masks = [session.prompt(0, prompts)]
        masks += [session.propagate(t, t + 1) for t in range(len(frames) - 1)]
    return [found.masks for found in masks]


def overlap(mask: torch.Tensor, truth: np.ndarray) -> float:
    true = torch.from_numpy(truth)
    return float((mask & true).sum() / (mask | true).sum())


def test_follows_what_it_was_not_trained_on_better_than_a_copy_would(teacher: Any) -> None:
    """Objects of generated clips whose first mask, left where it is, is soon wrong."""
    followed, copied = [], []
    for frames, ids in held_out_clips(3, num_frames=6, size=160, absent=0.0):
        truths = [ids == number for number in range(1, int(ids[0].max()) + 1)]
        moving = []
        for truth in truths:
            copy = [overlap(torch.from_numpy(truth[0]), true) for true in truth[1:]]
            if truth.any(axis=(1, 2)).all() and np.mean(copy) < 0.5:
                moving.append(truth)
                copied.append(np.mean(copy))
        if not moving:
            continue
        masks = follow(teacher, list(frames), *(truth[0] for truth in moving))
        for index, truth in enumerate(moving):
            pairs = zip(masks[1:], truth[1:], strict=True)
            followed.append(np.mean([overlap(found[index], true) for found, true in pairs]))
    assert len(copied) >= 5
    assert np.mean(followed) > np.mean(copied) + 0.25


def test_notices_that_an_object_is_gone(teacher: Any) -> None:
    """Those that vanish from generated clips: rarely seen while away, mostly before and after."""
    gone, there = [], []
    for frames, ids in held_out_clips(6, num_frames=8, size=160, absent=1.0):
        truths = [ids == number for number in range(1, int(ids[0].max()) + 1)]
        vanishing = [truth for truth in truths if not truth.any(axis=(1, 2)).all()]
        masks = follow(teacher, list(frames), *(truth[0] for truth in vanishing))
        for found, *true in zip(masks[1:], *(truth[1:] for truth in vanishing), strict=True):
            for mask, visible in zip(found, true, strict=True):
                (there if visible.any() else gone).append(bool(mask.any()))
    assert len(gone) >= 8
    assert np.mean(gone) < 0.5
    assert len(there) >= 8
    assert np.mean(there) > 0.7


@pytest.mark.parametrize("mask_prompts", [False, True], ids=["point", "mask"])
def test_keeps_a_car_from_its_surroundings(street, mask_prompts: bool) -> None:
    """It hardly moves: what is asked is to keep its outline, and from a point to find it."""
    frames, labels = street
    # At its own size, unlike the others.
    teacher = Sam2TransformersPropagator(checkpoint=WEIGHTS, mask_prompts=mask_prompts)
    car = largest(labels[0] == CLASS_NAMES.index("car"))
    truth = [largest(label == CLASS_NAMES.index("car"), car) for label in labels]
    masks = follow(teacher, frames, car)
    scores = [overlap(found[0], true) for found, true in zip(masks, truth, strict=True)]
    assert np.mean(scores) > 0.6


def largest(mask: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """The largest connected part of a mask, or the one that overlaps another most."""
    import cv2

    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    counts = np.bincount(parts[mask if like is None else mask & like], minlength=2)
    return parts == 1 + counts[1:].argmax()


def test_a_mask_prompt_is_taken_as_it_is(teacher, street) -> None:
    frames, labels = street
    road = labels[0] == CLASS_NAMES.index("road")
    first = follow(teacher, frames[:2], road)[0]
    # But for its outline, which goes through the model's size and back.
    assert overlap(first[0], road) > 0.95


@pytest.fixture(scope="module")
def warm_up() -> tuple[WarmUp, np.ndarray]:
    """The demo's model on its shifted video, and the true labels."""
    frames, labels = render_video(SEED, WARMUP)
    tensors = frames_to_tensors(list(shift_frames(frames, seed=SEED)))
    segmenter = SegformerSegmenter(load_demo_model())
    return WarmUp.from_frames(segmenter, tensors, silent), labels


@pytest.fixture(scope="module")
def tracks(teacher, warm_up) -> Tracks:
    view, _ = warm_up
    with teacher.open(view.video) as forward, teacher.open(view.video) as backward:
        return track_objects(forward, backward, view.size, view.predictions, MaskVote(), silent)


@pytest.fixture(scope="module")
def targets(tracks, warm_up) -> Targets:
    view, _ = warm_up
    return mask_vote(tracks, view.predictions, len(CLASS_NAMES), MaskVote(), silent)


def test_objects_get_the_class_they_have(targets, warm_up) -> None:
    _, truth = warm_up
    assert targets.classes
    right = total = 0
    for number in np.unique(np.stack([ids.numpy() for ids in targets.object_ids])):
        if number == 0:
            continue
        inside = [ids.numpy() == number for ids in targets.object_ids]
        pairs = zip(inside, targets.labels, strict=True)
        told = {int(label) for mask, labels in pairs for label in labels[torch.from_numpy(mask)]}
        (voted,) = told
        true = np.bincount(np.concatenate([t[m] for m, t in zip(inside, truth, strict=True)]))
        right += int(voted == true.argmax())
        total += 1
    assert total >= 5
    assert right / total > 0.7


def test_labels_are_better_than_the_models_own(targets, warm_up) -> None:
    view, truth = warm_up
    own = np.stack([prediction.labels.numpy() for prediction in view.predictions])
    taught = np.stack([labels.numpy() for labels in targets.labels])
    assert (taught == truth).mean() > (own == truth).mean()


def test_both_directions(tracks) -> None:
    masks = [packed.unpack() for packed in tracks.frames]
    first = {int(i) for i in masks[0].object_ids[masks[0].masks.flatten(1).any(1)]}
    late = {int(i) for i in masks[-1].object_ids} - first
    assert tracks.num_objects == len({int(i) for m in masks for i in m.object_ids})
    # Objects that were prompted later are seen in earlier frames: followed backward.
    assert first
    assert tracks.num_objects > len(late)


def test_shipped_weights_are_small_and_said_to_be_a_demonstration() -> None:
    files = {path.name: path for path in SMALL.iterdir()}
    assert set(files) == {"README.md", "config.json", "model.safetensors"}
    assert files["model.safetensors"].stat().st_size < 8e6
    weights = load_file(files["model.safetensors"])
    floats = {tensor.dtype for tensor in weights.values() if tensor.is_floating_point()}
    assert floats == {torch.float16}
    assert "for demonstrations" in files["README.md"].read_text(encoding="utf-8")


def test_shipped_weights_are_found_by_name_and_loaded_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = find_propagator("sam2-small")
    assert isinstance(found, Sam2TransformersPropagator)
    assert found.mask_prompts
    with found.open([np.zeros((48, 64, 3), np.uint8)]):
        parameters = list(found.model.parameters())
    assert {parameter.dtype for parameter in parameters} == {torch.float32}
    assert sum(parameter.numel() for parameter in parameters) < 3.2e6
    assert found.model.config.image_size == 448
