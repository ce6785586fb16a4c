"""The methods with real teachers, SAM2 and EdgeTAM with random weights: they fit together."""

import pytest
import torch

from ditta_adapt.adapters.sam2_transformers import Sam2TransformersPropagator
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.baselines.mask_classification import MaskClassification
from ditta_adapt.baselines.mask_classifier_training import train_mask_classifier
from ditta_adapt.baselines.mask_refiner import MaskRefiner
from ditta_adapt.baselines.zero_shot import ZeroShotRefinement
from tests.adapters.sam2_video_models import KINDS, WIDTH, counted_features, small_model
from tests.toys import NUM_CLASSES, toy_segmenter, toy_video

pytestmark = pytest.mark.filterwarnings("ignore:the .*Model was not loaded by from_pretrained")
SIZE = (37, 50)
# Random weights expect little of their masks.
ANY = MaskThresholds(predicted_iou=0.0, stability=0.0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mask_prompts", [False, True])
def test_zero_shot_is_the_teacher_on_the_whole_video(kind: str, mask_prompts: bool) -> None:
    video = toy_video(10, SIZE)
    teacher = Sam2TransformersPropagator(small_model(kind), mask_prompts=mask_prompts)
    method = ZeroShotRefinement(toy_segmenter(), teacher, min_area=0.05)
    method.adapt(video[:4])
    found = [method(frame) for frame in video[4:]]
    stream = method._new_stream()
    prediction = method._predict(torch.from_numpy(video[0]).permute(2, 0, 1))
    prompts = stream._prompts(prediction)  # type: ignore[attr-defined]
    assert len(prompts) > 1
    with teacher.open(video) as session:
        session.prompt(0, prompts)
        for t in range(1, 10):
            masks = session.propagate(t - 1, t).masks
            if t >= 4:
                labels = method._predict(torch.from_numpy(video[t]).permute(2, 0, 1)).labels
                # Prompts come in the order of painting.
                expected = labels.clone()
                for prompt, mask in zip(prompts, masks, strict=True):
                    x, y = prompt.point
                    expected[mask] = prediction.labels[y, x]
                assert torch.equal(found[t - 4], expected), t


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_costs_one_pass_of_the_image_encoder_a_frame(kind: str) -> None:
    model, video = small_model(kind), toy_video(6, SIZE)
    method = MaskRefiner(
        toy_segmenter(),
        Sam2TransformersPropagator(model),
        points_per_side=2,
        window=3,
        thresholds=ANY,
    )
    with counted_features(model) as passes:
        for frame in video:
            assert method(frame).shape == SIZE
    assert passes == [1] * 6


@pytest.mark.parametrize("kind", KINDS)
def test_classification_by_the_teachers_features(kind: str) -> None:
    model, video = small_model(kind), toy_video(3, SIZE)
    teacher = Sam2TransformersPropagator(model)
    labels = [torch.full(SIZE, 2)] * 3
    with counted_features(model) as passes:
        classifier = train_mask_classifier(
            [(video, labels)],
            toy_segmenter(),
            teacher,
            NUM_CLASSES,
            points_per_side=2,
            thresholds=ANY,
        )
    # The features are those that the teacher has computed anyway.
    assert passes == [1] * 3
    assert (classifier.source, classifier.in_features) == ("propagator", WIDTH)
    method = MaskClassification(
        toy_segmenter(), teacher, classifier, base=False, points_per_side=2, thresholds=ANY
    )
    for frame in video:
        assert set(method(frame).unique().tolist()) <= {0, 2}
