"""A model scored by labels of other classes: what has no counterpart is counted, and said."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ditta_adapt import SegmenterOutput
from ditta_adapt.cli import main
from ditta_adapt.datasets import LabelledVideo, VideoDataset
from ditta_adapt.datasets.class_map import ClassMap, MappedDataset
from ditta_adapt.datasets.listed import ListedDataset
from ditta_adapt.evaluation import evaluate
from tests.datasets.trees import frame, label, save, write
from tests.evaluation.toy_dataset import toy_plan
from tests.toys import toy_segmenter, toy_video

SIZE, LENGTH = (32, 40), 4
# The toy model has four classes; the labels have three, one of which it has not.
MAP = ClassMap(("a", "b", "c", "d"), ("one", "two", "three"), {"a": "one", "c": "two"}, {})


def frames() -> list[np.ndarray]:
    return toy_video(LENGTH, SIZE, 0)


def predictions() -> list[np.ndarray]:
    segmenter = toy_segmenter()
    with torch.no_grad():
        images = torch.stack([torch.from_numpy(f).permute(2, 0, 1) for f in frames()])
        logits = segmenter.decode(segmenter.encode(segmenter.preprocess(images))).logits
        full = torch.nn.functional.interpolate(logits, SIZE, mode="bilinear", align_corners=False)
    return list(full.argmax(dim=1).numpy())


def truth() -> list[np.ndarray]:
    """Right wherever the model predicts a or c; else `one`, and a corner of `three`."""
    found = []
    for labels in predictions():
        true = np.array([0, 0, 1, 0], np.uint8)[labels]
        true[:4, :5] = 2
        found.append(true)
    return found


def open_streets(root: Path) -> VideoDataset:
    return ListedDataset(
        "streets",
        ["a"],
        lambda name: LabelledVideo(name, frames(), truth()),
        class_names=("one", "two", "three"),
    )


def test_scores_by_hand(tmp_path: Path) -> None:
    dataset = MappedDataset(open_streets(tmp_path), MAP)
    plan = toy_plan(dataset=dataset, methods=["image-model"], warmups=[0])
    (result,) = evaluate(plan, tmp_path / "out")
    assert not result.error
    shown, true = np.stack(predictions()), np.stack(truth())
    counts = true != 2
    # Where b is predicted, that is none of the labels: a fourth column.
    expected = np.zeros((4, 4), np.int64)
    column = np.array([0, 3, 1, 3])
    np.add.at(expected, (true[counts], column[shown[counts]]), 1)
    assert result.confusion.tolist() == expected.tolist()
    wrong = expected[:, 3].sum()
    assert wrong > 0
    assert f"{wrong / counts.sum():.1%} of the scored predictions are of classes" in result.note
    left_out = LENGTH * 20 / true.size
    assert f"{left_out:.1%} of the labelled pixels are of classes that the model" in result.note


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "map.toml"
    lists = f"model = {json.dumps(MAP.model)}\nlabels = {json.dumps(MAP.labels)}\n"
    path.write_text(lists + '[decided]\na = "one"\nc = "two"\n')
    common = ["eval", "--dataset", "tests.evaluation.test_class_maps:open_streets", "--root", "."]
    common += ["--model", "tests.toys:toy_segmenter", "--methods", "image-model", "oracle"]
    common += ["--warmup", "2"]
    assert main([*common, "--class-map", str(path), "--out", str(tmp_path / "out")]) == 0
    assert "mIoU" in capsys.readouterr().out
    # Results under another map are not mixed with these, though its file has the same name.
    path.write_text(lists + '[decided]\na = "two"\n')
    assert main([*common, "--class-map", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "another" in capsys.readouterr().err
    for wrong, message in (
        (["--class-map", "unheard-of"], "there is no class map"),
        (["--class-map", "vspw-cityscapes"], "the class map is for 19 classes"),
        ([], "--class-map"),
    ):
        assert main([*common, *wrong, "--out", str(tmp_path / "new")]) == 2
        assert message in capsys.readouterr().err


class OneClass:
    """A segmenter of many classes that sees one of them everywhere."""

    feature_dim = 1

    def __init__(self, num_classes: int, shown: int) -> None:
        self.num_classes = num_classes
        self.head = nn.Conv2d(1, num_classes, 1)
        with torch.no_grad():
            self.head.weight.zero_()
            self.head.bias.zero_()[shown] = 5

    def preprocess(self, images: torch.Tensor) -> torch.Tensor:
        return images.float() / 255

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean(dim=1, keepdim=True)

    def decode(self, encoded: torch.Tensor) -> SegmenterOutput:
        return SegmenterOutput(features=encoded, logits=self.head(encoded))

    def adaptable_modules(self) -> dict[str, nn.Module]:
        return {"head": self.head}


def vspw_crosswalk() -> OneClass:
    return OneClass(124, 20)


def ade20k_bed() -> OneClass:
    return OneClass(150, 7)


def cityscapes_tree(root: Path) -> None:
    """A snippet with road (7), a traffic sign (20), a rider (25) and a car (26)."""
    for index in range(30):
        name = f"lindau_000002_{index:06d}_leftImg8bit.png"
        save(root / "leftImg8bit_sequence/val/lindau" / name, frame(index % 25))
    name = "lindau_000002_000019_gtFine_labelIds.png"
    save(root / "gtFine/val/lindau" / name, label(7, 20, 25, 26))


def vspw_tree(root: Path) -> None:
    """Two frames with a bed (88), a gun (96), which ADE20K has not, and a wall (1)."""
    for number in (1, 2):
        save(root / "data/a/origin" / f"{number:08d}.jpg", frame(number))
        save(root / "data/a/mask" / f"{number:08d}.png", label(88, 96, 1, 0))
    write(root / "val.txt", "a\n")


@pytest.mark.parametrize(
    ("dataset", "tree", "model", "class_map", "expected"),
    [
        # One pixel of road that is called a crosswalk is right, 45 of a car are wrong; a sign and a
        # rider, one each, do not count.
        ("cityscapes", cityscapes_tree, "vspw_crosswalk", "vspw-cityscapes", (1 / 46, 2 / 48)),
        ("vspw", vspw_tree, "ade20k_bed", "ade20k-vspw", (0.5, 1 / 3)),
    ],
)
def test_the_published_layouts(
    dataset: str,
    tree: Callable[[Path], None],
    model: str,
    class_map: str,
    expected: tuple[float, float],
    tmp_path: Path,
) -> None:
    tree(tmp_path / "data_set")
    command = ["eval", "--dataset", dataset, "--root", str(tmp_path / "data_set")]
    command += ["--model", f"tests.evaluation.test_class_maps:{model}", "--methods", "image-model"]
    out = tmp_path / "out"
    assert main([*command, "--class-map", class_map, "--warmup", "0", "--out", str(out)]) == 0
    (line,) = (out / "results.jsonl").read_text("utf-8").splitlines()[1:]
    result = json.loads(line)
    counted = sum(count for _, _, count in result["confusion"])
    right = sum(count for t, p, count in result["confusion"] if t == p)
    assert right / counted == pytest.approx(expected[0])
    share = float(result["note"].partition("%")[0]) / 100
    assert share == pytest.approx(expected[1], abs=1e-3)
