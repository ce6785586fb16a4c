"""Names and colours of a model's classes."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.adapters.segformer import SegformerSegmenter
from ditta_adapt.demo.model import load_demo_model
from ditta_adapt.demo.scenes import CLASS_NAMES
from ditta_adapt.running.classes import classes_of


def segmenter(count: int = 3, **attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(num_classes=count, model=SimpleNamespace(**attributes))


@pytest.mark.parametrize(
    "attributes",
    [
        {"config": SimpleNamespace(id2label={2: "c", 0: "a", 1: "b"})},
        {"config": SimpleNamespace(id2label={"0": "a", "1": "b", "2": "c"})},
        {"dataset_meta": {"classes": ("a", "b", "c")}},
        {"classes": ["a", "b", "c"]},
        {"class_names": ("a", "b", "c")},
        # Of another number of classes: the next one that says something is asked.
        {"classes": ["x"], "class_names": ("a", "b", "c")},
    ],
)
def test_names(attributes: dict[str, Any]) -> None:
    found = classes_of(segmenter(**attributes))
    assert found.names == ("a", "b", "c")
    assert found.named


def test_numbers_where_there_are_no_names() -> None:
    for attributes in ({}, {"classes": "abc"}, {"config": SimpleNamespace(id2label=None)}):
        found = classes_of(segmenter(**attributes))
        assert found.names == ("class 0", "class 1", "class 2")
        assert not found.named


@pytest.mark.parametrize("key", ["palette", "PALETTE", "dataset_meta"])
def test_the_models_own_colours(key: str) -> None:
    colours = [[1, 2, 3], [4, 5, 6], (7, 8, 9)]
    value = {"palette": colours} if key == "dataset_meta" else colours
    assert np.array_equal(classes_of(segmenter(**{key: value})).palette, np.array(colours))


def test_colours_that_are_none() -> None:
    for colours in ([[1, 2]], [1, 2, 3], [[1, 2, 3]], "rgb", None):
        palette = classes_of(segmenter(palette=colours)).palette
        assert np.array_equal(palette, classes_of(segmenter()).palette)


def test_the_demo_model() -> None:
    found = classes_of(SegformerSegmenter(load_demo_model()))
    assert found.names == tuple(CLASS_NAMES)


@given(st.sets(st.integers(0, 4), min_size=1), st.booleans())
def test_kept_by_name_and_by_number(kept: set[int], by_name: bool) -> None:
    names = ("road", "car", "person", "tree", "sky")
    wanted = [names[k] if by_name else str(k) for k in kept]
    assert classes_of(segmenter(5, classes=names), wanted).kept == tuple(sorted(kept))


def test_classes_that_are_called_alike() -> None:
    assert classes_of(segmenter(classes=("a", "b", "a")), ["a"]).kept == (0, 2)


@pytest.mark.parametrize("wanted", ["bus", "3", "-1", ""])
def test_classes_that_are_not_there(wanted: str) -> None:
    with pytest.raises(InputError, match=r"the model has no class .*; it has 0 to 2: a, b, c"):
        classes_of(segmenter(classes=("a", "b", "c")), [wanted])


def test_what_stands_for_no_class() -> None:
    assert classes_of(segmenter(255)).other == 255
    assert classes_of(segmenter(256)).other == 65535
