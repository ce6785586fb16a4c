"""Label maps in files beside other methods, and methods of a user's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ditta_adapt import InputError, ShapeError
from ditta_adapt.baselines import ClipNetwork, MaskRefiner, Method, Positioned
from ditta_adapt.baselines.automatic_masks import MaskThresholds
from ditta_adapt.datasets import LabelledVideo
from ditta_adapt.evaluation import evaluate
from ditta_adapt.evaluation.building import build_method, check_method
from ditta_adapt.evaluation.saved_labels import SavedLabels
from tests.evaluation.toy_dataset import LENGTH, SIZE, toy_dataset, toy_labels, toy_plan
from tests.toys import NUM_CLASSES, toy_video


def write(folder: Path, maps: list[np.ndarray], *, wide: bool = False) -> Path:
    """Named without zeros in front: in the order of numbers, 10 comes after 9."""
    folder.mkdir(parents=True)
    for t, labels in enumerate(maps):
        Image.fromarray(labels.astype(np.uint16 if wide else np.uint8)).save(folder / f"{t}.png")
    return folder


def video(length: int = 3) -> LabelledVideo:
    return LabelledVideo("a", toy_video(length, SIZE), [None] * length)


def maps_of(length: int) -> list[np.ndarray]:
    return [np.full(SIZE, t, np.uint16) for t in range(length)]


@pytest.mark.parametrize("warmup", [0.5, 1.0])
def test_the_truth_in_files_scores_full_marks(tmp_path: Path, warmup: float) -> None:
    """Under both protocols: the rest of a video, and all of it."""
    for name, seed in (("a", 0), ("b", 1)):
        # 255 does not count in the truth, so any class will do there.
        write(tmp_path / name, [np.where(m == 255, 0, m) for m in toy_labels(seed)])
    plan = toy_plan(methods=[f"predictions:{tmp_path}", "image-model"], warmups=[warmup])
    results = evaluate(plan, tmp_path / "out")
    for result in results:
        assert not result.error
        if result.case.method != "image-model":
            off_diagonal = result.confusion.clone().fill_diagonal_(0)
            assert result.confusion.sum() > 0
            assert off_diagonal.sum() == 0


def test_files_are_in_natural_order_and_of_16_bits_too(tmp_path: Path) -> None:
    write(tmp_path / "a", maps_of(12), wide=True)
    method = SavedLabels(str(tmp_path), video(12))
    assert isinstance(method, Method)
    assert isinstance(method, Positioned)
    frames = video(12).frames
    method.adapt(list(frames[:9]))
    assert [int(method(frame).max()) for frame in frames[9:]] == [9, 10, 11]
    with pytest.raises(InputError, match="12 label maps, and no more"):
        method(frames[0])
    method.clear_memory()
    assert int(method(frames[0]).max()) == 0
    method.go_to(7)
    assert int(method(frames[7]).max()) == 7
    method.reset()
    assert int(method(frames[0]).max()) == 0


def test_a_folder_with_the_videos_name_in_it(tmp_path: Path) -> None:
    write(tmp_path / "a" / "labels", maps_of(3))
    method = SavedLabels(f"{tmp_path}/{{video}}/labels", video())
    assert int(method(video().frames[0]).max()) == 0
    assert check_method(f"predictions:{tmp_path}/{{video}}/labels")
    assert check_method(f"predictions:{tmp_path}/cffm-{{video}}")


def test_a_frame_that_cannot_be_read_shifts_nothing(tmp_path: Path, unchecked: None) -> None:
    class Unread(list):  # type: ignore[type-arg]
        def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
            if index == 2:
                raise InputError("frame 2 cannot be read")
            return super().__getitem__(index)  # type: ignore[no-any-return]

    labels = toy_labels(0)
    write(tmp_path / "maps" / "a", [np.where(m == 255, 0, m) for m in labels])
    dataset = toy_dataset(["a"])
    opened = LabelledVideo("a", Unread(toy_video(LENGTH, SIZE)), labels)
    broken = type(dataset)("toys", ["a"], lambda name: opened, class_names=dataset.class_names)
    plan = toy_plan(dataset=broken, methods=[f"predictions:{tmp_path / 'maps'}"], warmups=[0])
    (result,) = evaluate(plan, tmp_path / "out")
    assert result.frames == LENGTH - 1
    assert result.confusion.clone().fill_diagonal_(0).sum() == 0


def test_what_does_not_fit_the_video(tmp_path: Path) -> None:
    write(tmp_path / "a", maps_of(3))
    with pytest.raises(InputError, match="holds 3 images, and video 'a' has 4 frames"):
        SavedLabels(str(tmp_path), video(4))
    with pytest.raises(InputError, match="no folder"):
        SavedLabels(str(tmp_path / "absent"), video())
    with pytest.raises(ShapeError, match=r"is \(32, 40\) \(H, W\) and its frame \(16, 16\)"):
        SavedLabels(str(tmp_path), video())(toy_video(1, (16, 16))[0])
    with pytest.raises(InputError, match="no frames"):
        SavedLabels(str(tmp_path), video()).adapt([])
    Image.fromarray(toy_video(1, SIZE)[0]).save(tmp_path / "a" / "0.png")
    with pytest.raises(InputError, match="colour image"):
        SavedLabels(str(tmp_path), video())(video().frames[0])


def test_refined_by_masks(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 1)):
        write(tmp_path / name, [np.where(m == 255, 0, m) for m in toy_labels(seed)])
    names = [f"refined:predictions:{tmp_path}", "refined:image-model", "refiner"]
    by_name: dict[str, list[list[list[int]]]] = {}
    for result in evaluate(toy_plan(methods=names), tmp_path / "out"):
        assert not result.error
        by_name.setdefault(result.case.method, []).append(result.confusion.tolist())
    assert by_name["refined:image-model"] == by_name["refiner"]
    assert by_name[names[0]] != by_name["refiner"]
    (oracle, _) = evaluate(toy_plan(methods=["refined:oracle"]), tmp_path / "bound")
    assert not oracle.error


def test_options_of_the_refiner(tmp_path: Path) -> None:
    name = "refiner:window=3,points_per_side=2,vote=window,overlap=largest,stability=0.7"
    method = build_method(name, toy_plan().parts)
    assert isinstance(method, MaskRefiner)
    assert (method.window, method.points_per_side, method.vote) == (3, 2, "window")
    assert (method.overlap, method.thresholds) == ("largest", MaskThresholds(stability=0.7))
    (first, _) = evaluate(toy_plan(methods=[name]), tmp_path / "out")
    assert not first.error
    assert first.case.method == name
    for wrong in (
        "window=0",
        "window=2.5",
        "window=true",
        "vote=never",
        "colour=3",
        "window",
        "overlap=both",
    ):
        with pytest.raises(InputError, match=r"refiner has no option|is not KEY=VALUE"):
            toy_plan(methods=[f"refiner:{wrong}"])
    with pytest.raises(InputError, match="stability is 2"):
        toy_plan(methods=["refiner:stability=2"])


def test_a_missing_video_fails_alone(tmp_path: Path) -> None:
    write(tmp_path / "maps" / "a", [np.where(m == 255, 0, m) for m in toy_labels(0)])
    plan = toy_plan(methods=[f"predictions:{tmp_path / 'maps'}"])
    first, second = evaluate(plan, tmp_path / "out")
    assert not first.error
    assert "no folder" in second.error


# Methods of a user's own.


def make_clip_network() -> ClipNetwork:
    def network(clip: torch.Tensor) -> torch.Tensor:
        return torch.eye(NUM_CLASSES)[:1].view(1, NUM_CLASSES, 1, 1)

    return ClipNetwork(network)


def make_nothing() -> int:
    return 3


def test_a_factory_of_a_method(tmp_path: Path) -> None:
    plan = toy_plan(methods=["tests.evaluation.test_saved_labels:make_clip_network"])
    for result in evaluate(plan, tmp_path / "out"):
        assert not result.error
        assert result.frames == LENGTH // 2


def test_what_is_no_method(tmp_path: Path) -> None:
    plan = toy_plan(methods=["tests.evaluation.test_saved_labels:make_nothing"])
    for result in evaluate(plan, tmp_path / "out"):
        assert "returned a int; expected a method" in result.error
    for name, message in {
        "unheard-of": "there is no method 'unheard-of'",
        "predictions": "there is no method 'predictions'",
        "predictions:": "there is no method 'predictions:'",
        f"predictions:{tmp_path}/absent": "no folder",
        "unheard_of.package:make": "no package 'unheard_of'",
        "refined:unheard-of": "there is no method 'unheard-of'",
        "refined:refined:ditta": "refines twice",
        "refined:i-sam2": "needs a classifier of masks",
    }.items():
        with pytest.raises(InputError, match=message):
            toy_plan(methods=[name])
