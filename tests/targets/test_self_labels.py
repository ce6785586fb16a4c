"""The image model's own labels as targets."""

import torch

from ditta_adapt import AdaptConfig, SelfLabels, wrap
from ditta_adapt.models.frozen_prediction import FrozenPrediction
from ditta_adapt.targets.self_labels import self_labels
from tests.toys import StillPropagator, toy_segmenter, toy_video


def test_labels_and_one_object_a_class() -> None:
    frames = [torch.tensor([[0, 2], [2, 255]], dtype=torch.uint8), torch.ones(2, 2).byte()]
    targets = self_labels([FrozenPrediction(frame, torch.ones(2, 2)) for frame in frames])
    assert [frame.tolist() for frame in targets.labels] == [
        [[0, 2], [2, 255]],
        [[1, 1], [1, 1]],
    ]
    assert targets.object_ids[0].tolist() == [[1, 3], [3, 256]]
    assert targets.object_ids[1].tolist() == [[2, 2], [2, 2]]
    assert targets.learnable


def test_no_teacher_is_asked() -> None:
    for kind, adapted in ((SelfLabels(), True), (None, False)):
        teacher = StillPropagator()
        config = AdaptConfig(targets=kind, memory=None)
        model = wrap(toy_segmenter(), propagator=teacher, config=config)
        assert model.adapt(toy_video(4, size=(12, 14))).adapted == adapted
        assert teacher.sessions == []
