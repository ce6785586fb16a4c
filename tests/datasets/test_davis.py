import json
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets import open_dataset
from ditta_adapt.datasets.object_classes import class_ids, read_object_classes
from tests.datasets.trees import frame, label, number_of, save, save_palette, write

MODEL = ("background", "bird", "horse", "person")
VIDEOS = ("horsejump-high", "blackswan", "goat")
MANIFEST = {"horsejump-high": ["horse", 3], "blackswan": ["bird"]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in VIDEOS:
        for number in (0, 1, 2):
            stem = f"{name}/{number:05d}"
            save(tmp_path / f"JPEGImages/480p/{stem}.jpg", frame(number))
            path = tmp_path / f"Annotations/480p/{stem}.png"
            if name == "blackswan":
                save(path, label(0, 255, 0))  # 2016
            else:
                save_palette(path, label(0, 1, 2, number))  # 2017
    return tmp_path


def test_objects(root: Path) -> None:
    dataset = open_dataset("davis", root)
    assert dataset.names == ("blackswan", "goat", "horsejump-high")
    assert dataset.class_names == ("background", "object")
    assert dataset.palette.shape == (2, 3)
    swan, goat = dataset[0], dataset[1]
    assert [number_of(image) for image in goat.frames] == [0, 1, 2]
    assert swan.relabel is None
    np.testing.assert_array_equal(swan.labels[1], label(0, 1, 0))
    np.testing.assert_array_equal(goat.labels[0], label(0, 1, 1, 0))
    np.testing.assert_array_equal(goat.labels[2], label(0, 1, 1, 1))


def test_colour_masks_of_2016(root: Path) -> None:
    # A few of its masks have colour channels, all of them equal.
    grey = label(0, 255, 0)
    save(root / "Annotations/480p/goat/00001.png", np.dstack([grey] * 4))
    np.testing.assert_array_equal(open_dataset("davis", root)[1].labels[1], label(0, 1, 0))


def test_lists(root: Path) -> None:
    write(root / "ImageSets/2017/val.txt", "goat\nblackswan\n")
    write(root / "ImageSets/2016/val.txt", "blackswan\n")
    write(root / "ImageSets/2017/test-dev.txt", "goat\n")
    assert open_dataset("davis", root).names == ("goat", "blackswan")
    assert open_dataset("davis", root, year=2016).names == ("blackswan",)
    assert open_dataset("davis", root, split="test-dev").names == ("goat",)
    with pytest.raises(InputError, match=r"ImageSets.2017.train\.txt.*holds 2016, 2017"):
        open_dataset("davis", root, split="train")


def test_list_of_2016_as_it_first_came(root: Path) -> None:
    lines = [
        f"/JPEGImages/480p/{name}/{number:05d}.jpg /Annotations/480p/{name}/{number:05d}.png"
        for name in ("goat", "blackswan")
        for number in range(3)
    ]
    write(root / "ImageSets/480p/val.txt", "\n".join(lines))
    assert open_dataset("davis", root, year=2016).names == ("goat", "blackswan")
    with pytest.raises(InputError, match=r"ImageSets.2017.val\.txt"):
        open_dataset("davis", root)


@pytest.mark.parametrize("kind", ["mapping", "toml", "json"])
def test_semantic_classes(root: Path, tmp_path: Path, kind: str) -> None:
    write(root / "ImageSets/2017/val.txt", "goat\n")
    # With a byte order mark, as some editors write it.
    write(tmp_path / "m.toml", '\ufeffhorsejump-high = ["horse", 3]\nblackswan = ["bird"]\n')
    write(tmp_path / "m.json", "\ufeff" + json.dumps(MANIFEST))
    classes = MANIFEST if kind == "mapping" else tmp_path / f"m.{kind}"
    dataset = open_dataset("davis", root, classes=classes, model_classes=MODEL)
    assert dataset.names == ("horsejump-high", "blackswan")
    assert [video.relabel.tolist() for video in dataset] == [[0, 0, 1, 1], [0, 1, 0, 0]]
    ids = open_dataset("davis", root, classes={"goat": [1]}, model_classes=3)
    assert ids[0].relabel.tolist() == [0, 1, 0]
    # Scoring: prediction, relabelled, against the labels.
    prediction = np.array([0, 1, 2, 3])
    assert dataset[0].relabel[prediction].tolist() == [0, 0, 1, 1]


def test_classes_and_model_classes_go_together(root: Path) -> None:
    with pytest.raises(InputError, match="classes is given without model_classes"):
        open_dataset("davis", root, classes=MANIFEST)
    with pytest.raises(InputError, match="model_classes is given without classes"):
        open_dataset("davis", root, model_classes=MODEL)
    with pytest.raises(InputError, match=r"no folder .*zebra; expected the frames"):
        open_dataset("davis", root, classes={"zebra": [1]}, model_classes=3)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ({}, "names no video"),
        ({"goat": "bird"}, "goat is 'bird'; expected a list"),
        ({"goat": []}, r"goat is \[\]; expected a list"),
        ({"goat": [True]}, "expected a list of names or ids"),
        ({"goat": [1.0]}, "expected a list of names or ids"),
        ({"goat": ["zebra"]}, "goat: the model has no classes called 'zebra'; expected one of"),
        ({"goat": [4]}, r"goat: the model has no class 4; expected an id in \[0, 4\)"),
        ({"goat": [-1]}, "goat: the model has no class -1"),
    ],
)
def test_classes_that_make_no_sense(
    root: Path, tmp_path: Path, unchecked: None, classes: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_dataset("davis", root, classes=classes, model_classes=MODEL)
    write(tmp_path / "own.json", json.dumps(classes))
    with pytest.raises(InputError, match=f"own.json.*{message}"):
        open_dataset("davis", root, classes=tmp_path / "own.json", model_classes=MODEL)


def test_broken_manifests(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*absent\.toml; expected a TOML or JSON"):
        read_object_classes(tmp_path / "absent.toml")
    write(tmp_path / "broken.toml", "goat = [")
    with pytest.raises(InputError, match=r"broken\.toml cannot be read as TOML"):
        read_object_classes(tmp_path / "broken.toml")
    write(tmp_path / "broken.json", "{")
    with pytest.raises(InputError, match=r"broken\.json cannot be read as JSON"):
        read_object_classes(tmp_path / "broken.json")
    write(tmp_path / "list.json", "[1]")
    with pytest.raises(InputError, match=r"list\.json names no video"):
        read_object_classes(tmp_path / "list.json")


def test_the_manifest_of_the_benchmark_is_one() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "davis_voc.toml"
    assert read_object_classes(path)["scooter-black"] == ["motorbike", "person"]


def test_class_ids() -> None:
    assert class_ids(["person", 1], MODEL) == [3, 1]
    with pytest.raises(InputError, match="only the number of classes is known"):
        class_ids(["person"], 4)
    with pytest.raises(InputError, match="has 2 classes called 'a'"):
        class_ids(["a"], ["a", "b", "a"])


def test_annotations_are_complete_but_in_the_test_splits(root: Path) -> None:
    for number in (1, 2):
        (root / f"Annotations/480p/goat/{number:05d}.png").unlink()
    for split in ("val", "test-dev"):
        write(root / f"ImageSets/2017/{split}.txt", "goat")
    with pytest.raises(InputError, match=r"no file .*goat.00001\.png"):
        open_dataset("davis", root)[0]
    labels = open_dataset("davis", root, split="test-dev")[0].labels
    assert [given is None for given in labels] == [False, True, True]


def test_missing_folders(root: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*JPEGImages.480p"):
        open_dataset("davis", root / "JPEGImages")
    write(root / "ImageSets/2017/val.txt", "lost")
    (root / "JPEGImages/480p/lost").mkdir()
    with pytest.raises(InputError, match=r"no folder .*Annotations.480p.lost"):
        open_dataset("davis", root)
    (root / "Annotations/480p/lost").mkdir()
    with pytest.raises(InputError, match=r"lost holds no frame"):
        open_dataset("davis", root)[0]


def test_no_video_at_all(tmp_path: Path) -> None:
    for name in ("JPEGImages", "Annotations"):
        (tmp_path / name / "480p").mkdir(parents=True)
    with pytest.raises(InputError, match="480p is empty"):
        open_dataset("davis", tmp_path)
