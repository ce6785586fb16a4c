"""Pooled features, the classifier of masks, its training, and labelling with it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from ditta_adapt import CheckpointError, InputError, PropagationError, ShapeError
from ditta_adapt.baselines.mask_classification import MaskClassification
from ditta_adapt.baselines.mask_classifier import MaskClassifier, pool_masks
from ditta_adapt.baselines.mask_classifier_training import train_mask_classifier
from tests.baselines.painted import NUM_CLASSES, PaintedSegmenter, maps, painted
from tests.baselines.teachers import FeatureSession, Teacher, emptied

HALVES = [[1, 1, 2, 2]] * 2


def cells(*columns: int, side: int = 4) -> torch.Tensor:
    mask = torch.zeros(1, 1, side, dtype=torch.bool)
    mask[..., list(columns)] = True
    return mask


def test_the_mean_of_a_mask() -> None:
    features = torch.tensor([[[1.0, 2.0, 3.0, 100.0]]])
    assert pool_masks(features, cells(0, 1, 2)).tolist() == [[2.0]]


def test_one_hot_features_of_a_label_map() -> None:
    labels = torch.tensor([[0, 0, 2], [0, 1, 2]])
    features = torch.nn.functional.one_hot(labels).permute(2, 0, 1).float()
    masks = torch.stack([labels == 2, (labels == 0) & (torch.arange(3) < 1)])
    assert pool_masks(features, masks).tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_mask_smaller_than_a_cell_has_the_cells_features() -> None:
    features = torch.tensor([[[5.0, 7.0]]])
    assert pool_masks(features, cells(6, side=8)).tolist() == [[7.0]]
    # Three columns in the left cell and one in the right one: (3 * 5 + 7) / 4.
    assert pool_masks(features, cells(1, 2, 3, 4, side=8)).tolist() == [[5.5]]


@given(st.integers(0, 2**31), st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
def test_pooling_by_the_share_of_each_cell(seed: int, scale: int, h: int, w: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(3, h, w, generator=generator)
    masks = torch.rand(4, scale * h, scale * w, generator=generator) < 0.3
    masks[:, 0, 0] = True
    large = features.double().repeat_interleave(scale, 1).repeat_interleave(scale, 2)
    expected = torch.stack([large[:, mask].mean(dim=1) for mask in masks])
    torch.testing.assert_close(pool_masks(features, masks).double(), expected, atol=1e-5, rtol=1e-4)


def test_no_mask_no_features() -> None:
    assert pool_masks(torch.ones(3, 2, 2), torch.zeros(0, 4, 4, dtype=torch.bool)).shape == (0, 3)


def test_scores_by_hand() -> None:
    classifier = MaskClassifier(2, 3, "propagator")
    classifier.mean.copy_(torch.tensor([1.0, 2.0]))
    classifier.scale.copy_(torch.tensor([2.0, 4.0]))
    features = torch.tensor([[3.0, -2.0], [0.5, 2.0]])
    x = (features - torch.tensor([1.0, 2.0])) / torch.tensor([2.0, 4.0])
    hidden = (x @ classifier.hidden.weight.T + classifier.hidden.bias).clamp(min=0)
    assert hidden.shape == (2, 256)
    expected = hidden @ classifier.classes.weight.T + classifier.classes.bias
    torch.testing.assert_close(classifier(features), expected)


# Keeping it.


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    torch.manual_seed(0)
    classifier = MaskClassifier(3, 5, "segmenter")
    classifier.mean.normal_()
    classifier.save(tmp_path / "masks.safetensors")
    loaded = MaskClassifier.load(tmp_path / "masks.safetensors")
    assert (loaded.in_features, loaded.num_classes, loaded.source) == (3, 5, "segmenter")
    assert not loaded.training
    features = torch.randn(4, 3)
    assert torch.equal(loaded(features), classifier(features))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="missing or corrupt"):
        MaskClassifier.load(tmp_path / "nothing.safetensors")
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(CheckpointError, match="missing or corrupt"):
        MaskClassifier.load(tmp_path / "text.safetensors")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="no mask classifier"):
        MaskClassifier.load(tmp_path / "other.safetensors")
    classifier = MaskClassifier(3, 5, "segmenter")
    classifier.in_features = 4
    classifier.save(tmp_path / "wrong.safetensors")
    with pytest.raises(CheckpointError, match="contradicts itself"):
        MaskClassifier.load(tmp_path / "wrong.safetensors")
    with pytest.raises(CheckpointError, match="cannot write"):
        classifier.save(tmp_path / "no folder" / "masks.safetensors")


# Training.


def shifted(labels: list[list[int]]) -> np.ndarray:
    """Truth that differs from the prediction: class 1 is 3, class 2 is 0, class 0 is ignored."""
    return np.array([255, 3, 0, 1])[np.array(labels)]


VIDEOS = [
    ([painted(labels)] * 3, [shifted(labels)] * 3)
    for labels in (HALVES, [[3, 3, 1, 1]] * 2, [[0, 2, 2, 3]] * 2)
]


def train(teacher: Teacher | None = None, **options: object) -> MaskClassifier:
    return train_mask_classifier(
        options.pop("videos", VIDEOS),  # type: ignore[arg-type]
        options.pop("model", None) or PaintedSegmenter(),
        teacher or Teacher(),
        NUM_CLASSES,
        points_per_side=4,
        **{"epochs": 60, "learning_rate": 1e-2, **options},  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("teacher", "source", "width"),
    [(Teacher(), "segmenter", 5), (Teacher(session=FeatureSession), "propagator", 2)],
)
def test_learns_what_the_features_mean(teacher: Teacher, source: str, width: int) -> None:
    classifier = train(teacher)
    assert (classifier.source, classifier.in_features) == (source, width)
    assert teacher.open_sessions == 0
    method = MaskClassification(PaintedSegmenter(), teacher, classifier, points_per_side=4)
    found = maps([method(painted(labels)) for labels in (HALVES, HALVES, [[1, 1, 3, 3]] * 2)])
    # In the last frame the mask on the right now holds class 3, which is 1 in truth.
    assert found == [[[3, 3, 0, 0]] * 2] * 2 + [[[3, 3, 1, 1]] * 2]


def test_samples_are_masks_with_the_majority_of_their_labelled_pixels() -> None:
    truth = np.array([[3, 255, 0, 0], [2, 3, 1, 0]])
    ignored = np.full((2, 4), 255)
    classifier = train(videos=[([painted(HALVES)] * 2, [truth, ignored])], epochs=1)
    # Two masks, with one-hot features of classes 1 and 2 and a one.
    torch.testing.assert_close(classifier.mean, torch.tensor([0, 0.5, 0.5, 0, 1]))
    torch.testing.assert_close(classifier.scale, torch.tensor([1e-6, 0.5, 0.5, 1e-6, 1e-6]))
    learned = train(videos=[([painted(HALVES)] * 2, [truth, ignored])])
    samples = torch.tensor([[0, 1, 0, 0, 1], [0, 0, 1, 0, 1.0]])
    assert learned(samples).argmax(dim=1).tolist() == [3, 0]


def test_training_repeats_and_leaves_everything_as_it_was() -> None:
    segmenter = PaintedSegmenter()
    segmenter.head.train()
    before = segmenter.head.weight.clone()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    runs = []
    for seed in (0, 0, 1):
        with torch.no_grad():
            runs.append(train(model=segmenter, seed=seed, epochs=2).state_dict())
    assert torch.equal(torch.get_rng_state(), state)
    assert segmenter.head.training
    assert torch.equal(segmenter.head.weight, before)
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])
    assert not torch.equal(runs[0]["hidden.weight"], runs[2]["hidden.weight"])


@pytest.mark.parametrize(
    ("videos", "error", "said"),
    [
        ([], InputError, "no mask has a labelled pixel"),
        ([([painted(HALVES)], [np.full((2, 4), 255)])], InputError, "no mask has a labelled"),
        ([([painted(HALVES)], [])], InputError, "has no label map 0"),
        ([([], [shifted(HALVES)])], InputError, "has no frame 0"),
        ([([painted(HALVES)], [np.full((2, 4), 4)])], InputError, r"frame 0 hold 4; .* \[0, 4\)"),
        ([([painted(HALVES)], [np.zeros((2, 3), int)])], ShapeError, r"are \(2, 3\)"),
        ([([painted(HALVES)], [np.zeros((2, 4))])], ShapeError, "float64"),
        (
            [
                (
                    [painted(HALVES), painted([[1, 2]])],
                    [np.zeros((2, 4), int), np.zeros((1, 2), int)],
                )
            ],
            ShapeError,
            r"frame 1 is \(1, 2\)",
        ),
    ],
)
def test_videos_that_cannot_be_learned_from(
    videos: list, error: type[Exception], said: str, unchecked: None
) -> None:
    teacher = Teacher()
    with pytest.raises(error, match=said):
        train(teacher, videos=videos)
    assert teacher.open_sessions == 0


def test_a_teacher_that_fails_in_training() -> None:
    teacher = Teacher(fail_at=1)
    with pytest.raises(PropagationError, match=r"propagate\(0, 1\): RuntimeError: out of memory"):
        train(teacher)
    assert teacher.open_sessions == 0


# Labelling.


def constant(label: int, source: str = "segmenter", width: int = 5) -> MaskClassifier:
    """A classifier that always says the same."""
    classifier = MaskClassifier(width, NUM_CLASSES, source)  # type: ignore[arg-type]
    with torch.no_grad():
        classifier.classes.weight.zero_()
        classifier.classes.bias.copy_(torch.eye(NUM_CLASSES)[label])
    return classifier


@pytest.mark.parametrize(("base", "uncovered"), [(True, 2), (False, 0)])
def test_pixels_without_a_mask(base: bool, uncovered: int) -> None:
    def only_the_left(masks):  # type: ignore[no-untyped-def]
        bent = masks.masks.clone()
        bent[:, :, 2:] = False
        return type(masks)(masks.object_ids, bent)

    method = MaskClassification(
        PaintedSegmenter(), Teacher(only_the_left), constant(3), base=base, points_per_side=4
    )
    expected = [[3, 3, uncovered, uncovered]] * 2
    assert maps([method(painted(HALVES)) for _ in range(2)]) == [expected] * 2


@pytest.mark.parametrize(("base", "expected"), [(True, HALVES), (False, [[0] * 4] * 2)])
def test_no_mask_at_all(base: bool, expected: list[list[int]]) -> None:
    method = MaskClassification(PaintedSegmenter(), Teacher(emptied), constant(3), base=base)
    assert maps([method(painted(HALVES)) for _ in range(2)]) == [expected] * 2


def test_the_classifier_given_is_copied() -> None:
    classifier = constant(3).train()
    method = MaskClassification(PaintedSegmenter(), Teacher(), classifier)
    with torch.no_grad():
        classifier.classes.bias.copy_(torch.eye(NUM_CLASSES)[1])
    assert method(painted(HALVES)).unique().tolist() == [3]
    assert classifier.training
    assert classifier.hidden.weight.requires_grad


@pytest.mark.parametrize(
    ("classifier", "base", "said"),
    [
        (MaskClassifier(5, 3, "segmenter"), True, "3 classes and the image model 4"),
        (MaskClassifier(6, 4, "segmenter"), False, "6 features and the image model 5"),
    ],
)
def test_a_classifier_of_another_model(classifier: MaskClassifier, base: bool, said: str) -> None:
    with pytest.raises(InputError, match=said):
        MaskClassification(PaintedSegmenter(), Teacher(), classifier, base=base)


def test_other_classes_are_no_matter_without_the_base() -> None:
    classifier = MaskClassifier(6, 3, "propagator")
    MaskClassification(PaintedSegmenter(), Teacher(), classifier, base=False)


@pytest.mark.parametrize(
    ("teacher", "said"),
    [
        (Teacher(), "this one shows none"),
        (Teacher(session=FeatureSession), "shows 2 features, but the classifier was trained on 7"),
    ],
)
def test_a_teacher_it_was_not_trained_with(teacher: Teacher, said: str) -> None:
    method = MaskClassification(PaintedSegmenter(), teacher, constant(1, "propagator", 7))
    with pytest.raises(PropagationError, match=said):
        method(painted(HALVES))
    assert teacher.open_sessions == 0


class NotFinite(FeatureSession):
    def features(self, t: int) -> torch.Tensor:
        return super().features(t) / 0


def test_a_teacher_with_bad_features() -> None:
    teacher = Teacher(session=NotFinite)
    method = MaskClassification(PaintedSegmenter(), teacher, constant(1, "propagator", 2))
    with pytest.raises(PropagationError, match=r"features\(0\) returned .* not finite"):
        method(painted(HALVES))
