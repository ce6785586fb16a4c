"""Class maps: by hand, as shipped, the other way round, and over a data set."""

import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.datasets import LabelledVideo, synthia_seq, viper
from ditta_adapt.datasets.cityscapes import CLASSES
from ditta_adapt.datasets.class_map import (
    SHIPPED,
    ClassMap,
    MappedDataset,
    MappedLabels,
    read_class_map,
    same_name,
)
from ditta_adapt.datasets.labelled_video import WITHOUT_COUNTERPART
from ditta_adapt.datasets.listed import ListedDataset

CITY = tuple(name for name, _, _ in CLASSES)
STREET = ClassMap(
    model=("house", "road", "dog", "crossing"),
    labels=("road", "building", "rider", "person"),
    counterparts={"house": "building", "road": "road", "crossing": "road"},
    merged={},
)


def test_tables_by_hand() -> None:
    assert STREET.table.tolist() == [1, 0, WITHOUT_COUNTERPART, 0]
    table = STREET.label_table
    # Nothing counts as a rider or a person.
    assert table[:4].tolist() == [0, 1, 255, 255]
    assert set(table[4:].tolist()) == {255}


def test_the_other_way_round_by_hand() -> None:
    turned = STREET.reversed()
    assert (turned.model, turned.labels) == (STREET.labels, STREET.model)
    assert dict(turned.counterparts) == {"building": "house", "road": "road"}
    # The finer labels count as the one with the same name.
    assert dict(turned.merged) == {"crossing": "road"}
    assert turned.table.tolist() == [1, 0, -1, -1]
    assert turned.label_table[:4].tolist() == [0, 1, 255, 1]
    again = turned.reversed()
    assert again.table.tolist() == [1, 0, -1, 0]


@given(st.lists(st.integers(-1, 3), min_size=5, max_size=5))
def test_a_model_that_is_right_is_right_either_way(counts_as: list[int]) -> None:
    """What is labelled by a model's own class is what its prediction counts as, both ways."""
    model, labels = tuple("abcde"), tuple("wxyz")
    own = {m: labels[c] for m, c in zip(model, counts_as, strict=True) if c >= 0}
    there = ClassMap(model, labels, own, {})
    back = there.reversed()
    for place, count in enumerate(counts_as):
        assert there.table[place] == count
        if count >= 0:
            # A label `place` counts as what a prediction of its own label class counts as.
            assert back.label_table[place] == back.table[count]
        else:
            assert back.label_table[place] == 255
    for label in range(4):
        assert (there.label_table[label] == 255) == (label not in counts_as)


@pytest.mark.parametrize(
    ("name", "sizes", "anchors"),
    [
        (
            "vspw-cityscapes",
            (124, 19),
            {"crosswalk": "road", "person": "person", "tree": "vegetation"},
        ),
        ("ade20k-vspw", (150, 124), {"windowpane": "window", "minibike": "motorcycle"}),
        ("viper-cityscapes", (30, 19), {"tree": "vegetation", "trafficlight": "traffic light"}),
        ("synthia_seq-cityscapes", (13, 19), {"Pedestrian": "person", "Bicycle": "rider"}),
    ],
)
def test_what_is_shipped(name: str, sizes: tuple[int, int], anchors: dict[str, str]) -> None:
    found = read_class_map(name)
    assert (len(found.model), len(found.labels)) == sizes
    for one, other in anchors.items():
        assert found.counterparts[one] == other
    turned = read_class_map("-".join(reversed(name.split("-"))))
    assert (turned.model, turned.labels) == (found.labels, found.model)
    assert len(turned.table) == sizes[1]


def test_the_lists_are_the_official_ones() -> None:
    city, ade = read_class_map("vspw-cityscapes"), read_class_map("ade20k-vspw")
    assert city.labels == CITY
    assert city.model == ade.labels
    # Ids 1, 61, 107 and 124 of VSPW's own list, less 1.
    vspw = {0: "wall", 60: "person", 106: "painting_or_poster", 123: "train"}
    assert all(city.model[place] == name for place, name in vspw.items())
    # Places 1, 13, 84 and 150 of the objects of ADE20K's benchmark.
    own = {0: "wall", 12: "person", 83: "truck", 149: "flag"}
    assert all(ade.model[place] == name for place, name in own.items())


@pytest.mark.parametrize(
    ("name", "classes", "left_out"),
    [
        ("viper-cityscapes", viper.CLASSES, {"wall", "pole", "rider", "train"}),
        (
            "synthia_seq-cityscapes",
            synthia_seq.CLASSES,
            {"wall", "fence", "terrain", "truck", "bus", "train", "motorcycle", "bicycle"},
        ),
    ],
)
def test_the_classes_of_domain_adaptation(
    name: str, classes: tuple[tuple[str, ...], ...], left_out: set[str]
) -> None:
    found = read_class_map(name)
    assert found.model == tuple(each[0] for each in classes)
    assert found.labels == CITY
    # 15 and 11 of Cityscapes' classes count.
    assert set(found.counterparts.values()) == set(CITY) - left_out
    assert not found.merged


def test_names_that_are_said_to_match_do() -> None:
    for path in SHIPPED.glob("*.toml"):
        values = tomllib.loads(path.read_text("utf-8"))
        assert all(same_name(*pair) for pair in values["same"].items())
        assert not any(same_name(*pair) for pair in values["decided"].items())


def dataset(names: tuple[str, ...] = STREET.labels) -> ListedDataset:
    def open_video(name: str) -> LabelledVideo:
        labels = [np.array([[0, 1, 2, 255]], np.uint8), None]
        return LabelledVideo(name, [np.zeros((1, 4, 3), np.uint8)] * 2, labels)

    return ListedDataset("streets", ["a"], open_video, class_names=names)


def test_a_data_set_by_a_map() -> None:
    mapped = MappedDataset(dataset(), STREET)
    assert (len(mapped), mapped.names, mapped.class_names) == (1, ("a",), STREET.labels)
    (video,) = list(mapped)
    assert video.relabel is not None
    assert video.relabel.tolist() == [1, 0, -1, 0]
    first, second = video.labels
    assert first is not None
    assert first.tolist() == [[0, 1, 255, 255]]
    assert second is None
    assert isinstance(video.labels, MappedLabels)
    assert [video.labels.with_left_out(t)[1] for t in range(2)] == [1, 0]
    # Classes that are only numbered cannot be compared by name.
    MappedDataset(dataset(tuple(f"class {place}" for place in range(4))), STREET)


def test_labels_of_16_bits() -> None:
    labels = [np.array([[0, 65535, 300, 2]], np.uint16), np.array([[-1, -2, 1, 0]], np.int64)]
    mapped = MappedLabels(labels, STREET.label_table)
    first, second = mapped
    assert first is not None
    assert second is not None
    assert first.tolist() == [[0, 255, 255, 255]]
    assert second.tolist() == [[255, 255, 1, 0]]
    # Only a rider is a label.
    assert [mapped.with_left_out(t)[1] for t in range(2)] == [1, 0]


def test_what_does_not_fit() -> None:
    for names in (STREET.labels[:3], ("road", "house", "rider", "person")):
        with pytest.raises(InputError, match="the class map is for 4 classes"):
            MappedDataset(dataset(names), STREET)
    objects = ListedDataset(
        "objects",
        ["a"],
        lambda name: LabelledVideo(
            name, [np.zeros((1, 4, 3), np.uint8)], [None], np.zeros(4, np.int64)
        ),
        class_names=STREET.labels,
    )
    with pytest.raises(InputError, match="says itself what classes"):
        MappedDataset(objects, STREET)[0]


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"model": ()}, "model has 0 names"),
        ({"labels": tuple(map(str, range(256))), "counterparts": {}}, "there are 256 labels"),
        ({"labels": ("road", "road")}, "labels has 2 names; expected some, each once"),
        ({"counterparts": {"cat": "road"}}, "'cat', which is not a class of the model"),
        ({"counterparts": {"dog": "cat"}}, "'cat', which is not a class of the labels"),
        ({"merged": {"cat": "road"}}, "'cat', which is not a class of the labels"),
        ({"merged": {"road": "rider"}}, "'road' counts as another one, and something counts as"),
    ],
)
def test_what_is_refused(changed: dict[str, object], match: str) -> None:
    values = {name: getattr(STREET, name) for name in ("model", "labels", "counterparts", "merged")}
    with pytest.raises(InputError, match=match):
        ClassMap(**values | changed)  # type: ignore[arg-type]


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "map.toml"
    text = f"""
model = {json.dumps(STREET.model)}
labels = {json.dumps([*STREET.labels, "biker"])}
[same]
road = "road"
[decided]
dog = "rider"
[merged]
biker = "rider"
"""
    path.write_text(text)
    found = read_class_map(str(path))
    assert found.table.tolist() == [-1, 0, 2, -1]
    assert found.label_table[:5].tolist() == [0, 255, 2, 255, 2]
    for broken, match in (
        (text.replace("dog =", "road ="), r"'road' is in \[same\] and in \[decided\]"),
        (text.replace("labels", "lables"), "is no class map"),
        (text.replace('"rider"', "["), "is no class map"),
        (text.replace('dog = "rider"', "dog = 2"), "names '2', which is not a class"),
    ):
        path.write_text(broken)
        with pytest.raises(InputError, match=match):
            read_class_map(str(path))
    with pytest.raises(InputError, match="cannot be read"):
        read_class_map(str(tmp_path / "absent.toml"))
    with pytest.raises(InputError, match="there is no class map 'vspw'; expected one of ade20k-"):
        read_class_map("vspw")
