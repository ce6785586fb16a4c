"""A SAM2 that was trained with `examples/train_small_sam2`: what it follows, and what it teaches.

DITTA_SAM2=runs/sam2/weights python -m pytest tests/adapters/test_trained_sam2.py
"""

import os

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")
pytest.importorskip("cv2")

from ditta_adapt import AdaptConfig, Masks, Prompt
from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.program import SEED
from ditta_adapt.demo.scenes import CLASS_NAMES, render_video
from ditta_adapt.demo.shift import shift_frames
from ditta_adapt.frames import frames_to_tensors
from ditta_adapt.progress import silent
from ditta_adapt.target_builder import WarmUp
from ditta_adapt.teaching import teach
from ditta_adapt.tracking import track_objects

WEIGHTS = os.environ.get("DITTA_SAM2")
WARMUP = 8
pytestmark = pytest.mark.skipif(WEIGHTS is None, reason="DITTA_SAM2 names no trained model")


@pytest.fixture(scope="module")
def teacher() -> Sam2TransformersPropagator:
    return Sam2TransformersPropagator(checkpoint=str(WEIGHTS))


@pytest.fixture(scope="module")
def street() -> tuple[list[np.ndarray], np.ndarray]:
    """A street scene as the demo's model was trained on, without any shift."""
    frames, labels = render_video(SEED, WARMUP)
    return list(frames), labels


def follow(teacher: Sam2TransformersPropagator, frames: list, mask: np.ndarray) -> list[Masks]:
    rows, columns = np.nonzero(mask)
    # The pixel nearest to the middle: inside of any shape.
    nearest = np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2)
    point = (int(columns[nearest]), int(rows[nearest]))
    with teacher.open(frames) as session:
        masks = [session.prompt(0, [Prompt(1, point, torch.from_numpy(mask))])]
        masks += [session.propagate(t, t + 1) for t in range(len(frames) - 1)]
    return masks


def overlap(mask: torch.Tensor, truth: np.ndarray) -> float:
    true = torch.from_numpy(truth)
    return float((mask & true).sum() / (mask | true).sum())


def test_follows_the_largest_car(teacher, street) -> None:
    frames, labels = street
    car = largest(labels[0] == CLASS_NAMES.index("car"))
    truth = [largest(label == CLASS_NAMES.index("car"), car) for label in labels]
    masks = follow(teacher, frames, car)
    scores = [overlap(m.masks[0], true) for m, true in zip(masks, truth, strict=True)]
    assert np.mean(scores) > 0.6


def largest(mask: np.ndarray, like: np.ndarray | None = None) -> np.ndarray:
    """The largest connected part of a mask, or the one that overlaps another most."""
    import cv2

    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    counts = np.bincount(parts[mask if like is None else mask & like], minlength=2)
    return parts == 1 + counts[1:].argmax()


def test_a_mask_prompt_is_taken_as_it_is(street) -> None:
    frames, labels = street
    road = labels[0] == CLASS_NAMES.index("road")
    teacher = Sam2TransformersPropagator(checkpoint=str(WEIGHTS), mask_prompts=True)
    first = follow(teacher, frames[:2], road)[0]
    # But for its outline, which goes through the model's size and back.
    assert overlap(first.masks[0], road) > 0.95


@pytest.fixture(scope="module")
def warm_up() -> tuple[WarmUp, np.ndarray]:
    """The demo's model on its shifted video, and the true labels."""
    frames, labels = render_video(SEED, WARMUP)
    tensors = frames_to_tensors(list(shift_frames(frames, seed=SEED)))
    segmenter = SegformerSegmenter(load_demo_model())
    return WarmUp.seen_by(segmenter, tensors, AdaptConfig(), silent), labels


def test_objects_get_the_class_they_have(teacher, warm_up) -> None:
    view, truth = warm_up
    targets = teach(teacher, view, AdaptConfig(), silent)
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


def test_labels_are_better_than_the_models_own(teacher, warm_up) -> None:
    view, truth = warm_up
    targets = teach(teacher, view, AdaptConfig(), silent)
    own = np.stack([prediction.labels.numpy() for prediction in view.predictions])
    taught = np.stack([labels.numpy() for labels in targets.labels])
    assert (taught == truth).mean() > (own == truth).mean()


def test_both_directions(teacher, warm_up) -> None:
    view, _ = warm_up
    with teacher.open(view.video) as forward, teacher.open(view.video) as backward:
        tracks = track_objects(
            forward, backward, view.frames, view.predictions, AdaptConfig(), silent
        )
    masks = [packed.unpack() for packed in tracks.frames]
    first = {int(i) for i in masks[0].object_ids[masks[0].masks.flatten(1).any(1)]}
    late = {int(i) for i in masks[-1].object_ids} - first
    assert tracks.num_objects == len({int(i) for m in masks for i in m.object_ids})
    # Objects that were prompted later are seen in earlier frames: followed backward.
    assert first
    assert tracks.num_objects > len(late)
