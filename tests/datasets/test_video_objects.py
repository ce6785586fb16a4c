"""Objects with ids, in the layouts of the data sets."""

import json
from pathlib import Path

import numpy as np
import pytest

from ditta_adapt import InputError
from ditta_adapt.datasets.video_objects import open_objects
from tests.datasets.trees import frame, label, number_of, save, save_palette, write


def davis(root: Path) -> Path:
    for video in ("goat", "bike"):
        for number in range(3):
            save(root / f"JPEGImages/480p/{video}/{number:05d}.jpg", frame(number))
            ids = label(0, 1, 2, 255) if number < 2 else label(0, 3, 2, 0)
            save_palette(root / f"Annotations/480p/{video}/{number:05d}.png", ids)
    write(root / "ImageSets/2017/val.txt", "goat\nbike\n")
    return root


def test_davis_keeps_its_objects_apart(tmp_path: Path) -> None:
    data = open_objects("davis", davis(tmp_path))
    assert data.name == "davis-2017"
    assert [video.name for video in data.videos] == ["goat", "bike"]
    goat = data.videos[0]
    assert [number_of(image) for image in goat.frames] == [0, 1, 2]
    # What is void is no object.
    np.testing.assert_array_equal(goat.masks[0], label(0, 1, 2, 0))
    begins = goat.begins()
    assert {t: sorted(new) for t, new in begins.items()} == {0: [1, 2]}
    np.testing.assert_array_equal(begins[0][2], label(0, 1, 2, 0) == 2)


def test_davis_of_2016_has_one_object(tmp_path: Path) -> None:
    write(davis(tmp_path) / "ImageSets/2016/val.txt", "goat\n")
    (goat,) = open_objects("davis", tmp_path, year=2016).videos
    assert {t: sorted(new) for t, new in goat.begins().items()} == {0: [1]}
    np.testing.assert_array_equal(goat.masks[0], label(0, 1, 1, 1))


def test_spoiled_frames_of_another_tree(tmp_path: Path) -> None:
    davis(tmp_path / "clean")
    for video in ("goat", "bike"):
        for number in range(3):
            save(tmp_path / f"fog/high/{video}/{number:05d}.png", frame(7 + number))
    spoiled = open_objects("davis", tmp_path / "clean", frames=tmp_path / "fog/high").videos[1]
    assert [number_of(image) for image in spoiled.frames] == [7, 8, 9]
    np.testing.assert_array_equal(spoiled.masks[0], label(0, 1, 2, 0))
    with pytest.raises(InputError, match="there is no folder"):
        open_objects("davis", tmp_path / "clean", frames=tmp_path / "rain")


def with_splits(root: Path, meta: str) -> Path:
    """Frames 0, 5, 10, 15; of the validation split, masks of those where an object begins."""
    for number in (0, 5, 10, 15):
        save(root / f"valid/JPEGImages/a1b2/{number:05d}.jpg", frame(number))
    save_palette(root / "valid/Annotations/a1b2/00000.png", label(0, 1, 1, 0))
    save_palette(root / "valid/Annotations/a1b2/00010.png", label(0, 0, 0, 2))
    objects = {"1": {"category": "owl"}, "2": {"category": "sofa"}}
    write(root / meta, json.dumps({"videos": {"a1b2": {"objects": objects}}}))
    return root


@pytest.mark.parametrize(
    ("name", "meta"),
    [
        ("youtube-vos", "valid/meta.json"),
        ("mose", "meta_valid.json"),
        ("lvos", "valid/valid_meta.json"),
        ("lvos", "valid_meta.json"),
    ],
)
def test_objects_that_begin_late(tmp_path: Path, name: str, meta: str) -> None:
    data = open_objects(name, with_splits(tmp_path, meta))
    assert data.seen is None
    (video,) = data.videos
    assert [number_of(image) for image in video.frames] == [0, 5, 10, 15]
    assert [mask is None for mask in video.masks] == [False, True, False, True]
    assert {t: sorted(new) for t, new in video.begins().items()} == {0: [1], 2: [2]}
    assert video.late
    assert video.categories == {1: "owl", 2: "sofa"}


def test_categories_of_the_training_split_are_seen(tmp_path: Path) -> None:
    with_splits(tmp_path, "valid/meta.json")
    known = {"videos": {"x": {"objects": {"1": {"category": "owl"}, "2": {}}}}}
    write(tmp_path / "train/meta.json", json.dumps(known))
    assert open_objects("youtube-vos", tmp_path).seen == {"owl"}


def test_without_a_list_of_categories(tmp_path: Path) -> None:
    with_splits(tmp_path, "valid/other.json")
    (video,) = open_objects("mose", tmp_path).videos
    assert video.categories == {}


@pytest.mark.usefixtures("unchecked")
def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no data set 'ovis' of objects"):
        open_objects("ovis", tmp_path)
    with pytest.raises(InputError, match=r"there is no folder .*train; expected the split's"):
        open_objects("mose", with_splits(tmp_path, "valid/meta.json"), split="train")
    save_palette(tmp_path / "valid/Annotations/a1b2/00007.png", label(0, 1))
    with pytest.raises(InputError, match="is the label of no frame"):
        open_objects("mose", tmp_path).videos[0]


@pytest.mark.parametrize("text", ["{", "[]", '{"videos": []}', '{"videos": {"a": {}}}'])
def test_a_broken_list_of_categories(tmp_path: Path, text: str) -> None:
    write(with_splits(tmp_path, "valid/meta.json") / "valid/meta.json", text)
    with pytest.raises(InputError, match=r"meta\.json cannot be read .*expected JSON of the form"):
        open_objects("youtube-vos", tmp_path)
