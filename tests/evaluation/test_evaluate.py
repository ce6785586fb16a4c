from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("cv2")

from ditta_adapt import AdaptConfig, InputError, wrap
from ditta_adapt.adapters.optical_flow import OpticalFlowPropagator
from ditta_adapt.baselines import MaskClassifier
from ditta_adapt.corruptions import parse_corruption
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.evaluation import Parts, VideoResult, evaluate, method_names
from ditta_adapt.evaluation.building import build_method
from ditta_adapt.evaluation.method_names import _in_model_classes
from ditta_adapt.metrics import SegmentationScore, VideoConsistency
from ditta_adapt.models.parameters import weight_hash
from tests.evaluation.toy_dataset import (
    LENGTH,
    FailingPropagator,
    toy_dataset,
    toy_labels,
    toy_plan,
)
from tests.toys import FEATURES, NUM_CLASSES, toy_segmenter, toy_video


def counts(results: list[VideoResult]) -> list[tuple]:
    """Everything but wall time."""
    return [
        (r.case, r.frames, r.confusion.tolist(), dict(r.consistency), r.changed, r.error)
        for r in results
    ]


def test_counts_are_those_of_a_loop_by_hand(tmp_path: Path) -> None:
    # Unchecked, or the image model might speak all the way.
    methods = ["image-model", "ditta-unchecked"]
    plan = toy_plan(dataset=toy_dataset(["b"]), warmups=[0.25], methods=methods)
    iss, ditta = evaluate(plan, tmp_path)
    video = plan.dataset[0]
    config = AdaptConfig(safety=None)
    model = wrap(plan.parts.segmenter, propagator=plan.parts.propagator, config=config)
    model.adapt(video.frames[:3])
    score, consistency = SegmentationScore(4), VideoConsistency(8)
    predictions = [model(frame) for frame in video.frames[3:]]
    for t, labels in enumerate(predictions, 3):
        score.update(labels, video.labels[t])
    consistency.add_video(predictions, toy_labels(1)[3:])
    assert torch.equal(ditta.confusion, score.confusion)
    assert ditta.consistency == {8: consistency.scores[0], 16: []}
    assert ditta.consistency[8]
    changes = [float((a != b).double().mean()) for a, b in pairwise(predictions)]
    assert ditta.changed == pytest.approx(np.mean(changes))
    assert ditta.frames == LENGTH - 3
    assert ditta.note
    assert ditta.adapt_seconds > 0
    assert not torch.equal(iss.confusion, ditta.confusion)


def test_the_order_of_videos_does_not_matter(tmp_path: Path) -> None:
    plans = [
        toy_plan(dataset=toy_dataset(names), methods=["image-model", "ditta", "tent"])
        for names in ("ab", "ba")
    ]
    first, second = (
        counts(evaluate(plan, tmp_path / str(index))) for index, plan in enumerate(plans)
    )
    assert sorted(first, key=repr) == sorted(second, key=repr)


class Stop(BaseException):
    """What kills a run."""


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    plan = toy_plan(dataset=toy_dataset("abc"))
    whole = evaluate(plan, tmp_path / "whole")
    ran: list[VideoResult] = []

    def stop_after_three(result: VideoResult, done: int, total: int) -> None:
        ran.append(result)
        if len(ran) == 3:
            raise Stop

    with pytest.raises(Stop):
        evaluate(plan, tmp_path / "killed", stop_after_three)
    resumed = evaluate(plan, tmp_path / "killed", lambda result, done, total: ran.append(result))
    assert counts(resumed) == counts(whole)
    assert len(ran) == len(whole) == 6


def test_the_model_is_as_it_was(tmp_path: Path) -> None:
    plan = toy_plan(methods=["ditta", "tent", "cotta"], limit=1)
    before = weight_hash(plan.parts.segmenter)
    evaluate(plan, tmp_path)
    assert weight_hash(plan.parts.segmenter) == before


def test_failures_are_recorded_and_tried_again(tmp_path: Path) -> None:
    broken = toy_plan(dataset=toy_dataset(["a", "broken", "b"]), methods=["image-model"])
    results = evaluate(broken, tmp_path / "disk")
    assert [bool(r.error) for r in results] == [False, True, False]
    assert "OSError: the disk is gone" in results[1].error

    parts = Parts(toy_segmenter(), FailingPropagator())
    failing = toy_plan(parts=parts, dataset=toy_dataset("a"))
    iss, ditta = evaluate(failing, tmp_path / "teacher")
    assert not iss.error
    assert "out of order" in ditta.error
    ran: list[str] = []
    evaluate(failing, tmp_path / "teacher", lambda r, done, total: ran.append(r.case.method))
    assert ran == ["ditta"]


def test_full_video_adapts_to_all_and_scores_all(tmp_path: Path) -> None:
    plan = toy_plan(dataset=toy_dataset("a"), warmups=[1.0])
    iss, ditta = evaluate(plan, tmp_path)
    assert iss.frames == ditta.frames == LENGTH
    video = plan.dataset[0]
    model = wrap(plan.parts.segmenter, propagator=plan.parts.propagator)
    model.adapt(video.frames)
    model.clear_memory()
    score = SegmentationScore(4)
    for frame, label in zip(video.frames, video.labels, strict=True):
        score.update(model(frame), label)
    assert torch.equal(ditta.confusion, score.confusion)


def test_corruptions_reach_warmup_and_stream(tmp_path: Path) -> None:
    plan = toy_plan(dataset=toy_dataset("a"), corruptions=["", "contrast:high"])
    results = evaluate(plan, tmp_path)
    assert [r.case.corruption for r in results] == ["", "", "contrast:high", "contrast:high"]
    frames = list(parse_corruption("contrast:high").apply(toy_video(LENGTH, (32, 40), 0)))
    model = wrap(plan.parts.segmenter, propagator=plan.parts.propagator)
    model.adapt(frames[:6])
    score = SegmentationScore(4)
    for frame, label in zip(frames[6:], toy_labels(0)[6:], strict=True):
        score.update(model(frame), label)
    assert torch.equal(results[3].confusion, score.confusion)


def test_sparse_labels_are_scored_and_have_no_consistency(tmp_path: Path) -> None:
    labels = [label if t == 9 else None for t, label in enumerate(toy_labels(0))]
    video = LabelledVideo("a", toy_video(LENGTH, (32, 40)), labels)
    dataset = ListedDataset("sparse", ["a"], lambda name: video, class_names="abcd")
    (result,) = evaluate(toy_plan(dataset=dataset, methods=["image-model"]), tmp_path)
    assert result.confusion.sum() == 31 * 40
    assert result.consistency == {}
    assert result.frames == 6


def test_without_labels(tmp_path: Path) -> None:
    plan = toy_plan(
        dataset=toy_dataset("a", labelled=False), methods=["image-model", "true-labels"]
    )
    iss, told = evaluate(plan, tmp_path)
    assert iss.confusion.sum() == 0
    assert iss.changed > 0
    assert "true labels" in told.error


def test_predictions_are_relabelled(tmp_path: Path) -> None:
    table = np.array([0, 1, 1, 0])
    labels = [np.full((32, 40), 1, np.uint8)] * LENGTH
    video = LabelledVideo("a", toy_video(LENGTH, (32, 40)), labels, table)
    dataset = ListedDataset("objects", ["a"], lambda name: video, class_names=("rest", "object"))
    plan = toy_plan(dataset=dataset, methods=["image-model"], warmups=[0])
    (result,) = evaluate(plan, tmp_path)
    model = wrap(plan.parts.segmenter)
    found = sum(int(torch.isin(model(f), torch.tensor([1, 2])).sum()) for f in video.frames)
    assert result.confusion[1, 1] == found
    assert result.confusion.sum() == LENGTH * 32 * 40


@pytest.mark.parametrize("table", [[0, 1, 2, 0], [0, 1]])
def test_tables_that_do_not_fit_are_refused_before_a_video_is_run(
    table: list[int], tmp_path: Path
) -> None:
    """Also those of a later video."""

    def open_video(name: str) -> LabelledVideo:
        if name == "broken":
            raise OSError("the disk is gone")
        labels = [np.zeros((32, 40), np.uint8)] * LENGTH
        fits = np.array([0, 1, 1, 0])
        own = np.array(table) if name == "b" else fits
        return LabelledVideo(name, toy_video(LENGTH, (32, 40)), labels, own)

    names = ["broken", "a", "b"]
    dataset = ListedDataset("objects", names, open_video, class_names=("rest", "object"))
    plan = toy_plan(dataset=dataset, methods=["image-model"], warmups=[0])
    with pytest.raises(InputError, match="video 'b': relabel turns"):
        evaluate(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    first, second = evaluate(replace(plan, limit=2), tmp_path / "out")
    assert "disk is gone" in first.error
    assert not second.error


def test_truth_in_the_models_classes() -> None:
    truth = [np.array([[0, 1, 255]], np.uint8)]
    parts = Parts(toy_segmenter(), OpticalFlowPropagator(), truth=truth)
    assert _in_model_classes(parts)[0].tolist() == [[0, 1, 255]]
    merged = replace(parts, relabel=np.array([0, 0, 1, 1]))
    assert _in_model_classes(merged)[0].tolist() == [[0, 2, 255]]


def test_results_of_another_origin_are_not_mixed(tmp_path: Path) -> None:
    plan = toy_plan(methods=["image-model"], limit=1, origin={"root": "here"})
    evaluate(plan, tmp_path)
    for other in (
        replace(plan, origin={"root": "there"}),
        replace(plan, parts=replace(plan.parts, aux=toy_segmenter(1))),
    ):
        with pytest.raises(InputError, match="results of another run"):
            evaluate(other, tmp_path)


def test_one_frame_is_not_the_whole_video(tmp_path: Path) -> None:
    plan = toy_plan(dataset=toy_dataset("a"), methods=["ditta"], warmups=[1, 1.0, 50])
    one, whole, none = evaluate(plan, tmp_path)
    assert [r.case.warmup for r in (one, whole, none)] == ["1 frame", "100%", "50 frames"]
    assert (one.frames, whole.frames) == (LENGTH - 1, LENGTH)
    assert "the video has 12 frames, and the warm-up takes 50" in none.error
    # Found again in the file; what failed is tried again.
    ran: list[VideoResult] = []
    again = evaluate(plan, tmp_path, lambda result, done, total: ran.append(result))
    assert counts(again[:2]) == counts([one, whole])
    assert [r.case.warmup for r in ran] == ["50 frames"]


def test_what_is_named_twice_is_run_once(tmp_path: Path) -> None:
    plan = toy_plan(methods=["image-model", "image-model"], warmups=[0.5, 0.5], limit=1)
    assert len(evaluate(plan, tmp_path)) == 1
    with pytest.raises(InputError, match="names of several videos, such as 'a'"):
        toy_plan(dataset=toy_dataset(["a", "b", "a"]))


def test_progress_counts_what_is_left(tmp_path: Path) -> None:
    evaluate(toy_plan(methods=["image-model"]), tmp_path)
    seen: list[tuple[int, int]] = []
    evaluate(
        toy_plan(methods=["image-model", "tent"]), tmp_path, lambda r, d, t: seen.append((d, t))
    )
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"methods": ["image-model", "magic"]}, "no method 'magic'"),
        ({"warmups": [10.0]}, "whole percentage"),
        ({"warmups": [-1]}, "-1 frames; expected at least 0"),
        ({"corruptions": ["fog:3"]}, "fog"),
        ({"corruptions": ["style1:high"]}, "cannot be applied"),
        ({"methods": ["image-model", "i-sam2"]}, "i-sam2 needs a classifier"),
        ({"limit": 0}, "at least 1 video"),
        ({"methods": []}, "nothing to run"),
    ],
)
def test_bad_plans_fail_at_once(changes: dict, match: str) -> None:
    with pytest.raises(InputError, match=match):
        toy_plan(**changes)


def test_another_number_of_classes_fails_at_once(tmp_path: Path) -> None:
    dataset = ListedDataset("small", ["a"], toy_dataset()._open_video, class_names=["x", "y"])
    with pytest.raises(InputError, match="the model has 4 classes and the data set 'small' has 2"):
        evaluate(toy_plan(dataset=dataset), tmp_path)


@pytest.mark.parametrize("name", ["ditta", "ditta-paper", "accel"])
def test_the_seed_reaches_what_is_random(name: str) -> None:
    parts = Parts(toy_segmenter(), OpticalFlowPropagator(), seed=7)
    assert build_method(name, parts).config.seed == 7


def test_every_method_runs(tmp_path: Path) -> None:
    classifier = MaskClassifier(FEATURES, NUM_CLASSES, "segmenter")
    parts = Parts(toy_segmenter(), OpticalFlowPropagator(), classifier=classifier)
    dataset = toy_dataset("a")
    plan = toy_plan(dataset=dataset, parts=parts, methods=method_names(), warmups=[0.25])
    results = evaluate(plan, tmp_path)
    assert {r.case.method: r.error for r in results if r.error} == {}
    assert [r.case.method for r in results] == list(method_names())
