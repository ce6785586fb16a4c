import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ditta_adapt import InputError
from ditta_adapt.datasets import IGNORE
from ditta_adapt.datasets.cityscapes import CLASSES, LABEL_IDS
from ditta_adapt.datasets.label_table import (
    identity_table,
    label_table,
    look_up,
    object_relabel,
)
from ditta_adapt.datasets.vspw import MASK_LABELS


def values(largest: int) -> st.SearchStrategy[np.ndarray]:
    shapes = hnp.array_shapes(min_dims=2, max_dims=2, max_side=5)
    return hnp.arrays(np.int32, shapes, elements=st.integers(-2, largest))


@given(st.dictionaries(st.integers(0, 300), st.integers(0, 255), max_size=20), values(310))
def test_look_up_is_a_dictionary(labels: dict[int, int], pixels: np.ndarray) -> None:
    known = {255: IGNORE} | labels
    table = label_table(labels)
    if all(value in known for value in pixels.ravel()):
        found = look_up(pixels, table)
        assert found.dtype == np.uint8
        assert found.ravel().tolist() == [known[value] for value in pixels.ravel()]
    else:
        with pytest.raises(InputError, match="is no label of this data set"):
            look_up(pixels, table)


@given(st.dictionaries(st.integers(0, 40), st.integers(0, 255)), st.randoms())
def test_look_up_of_known_values(labels: dict[int, int], random) -> None:
    known = {255: IGNORE} | labels
    pixels = [random.choice(list(known)) for _ in range(6)]
    found = look_up(np.array(pixels).reshape(2, 3), label_table(labels))
    assert found.ravel().tolist() == [known[value] for value in pixels]


def test_what_was_expected_is_said_in_short() -> None:
    with pytest.raises(InputError, match=r"value 7 is .*; expected 0\.\.4, 11, 255\."):
        look_up(np.array([[0, 7]]), identity_table(5, void=[11]))
    with pytest.raises(InputError, match=r"value 65535 is "):
        look_up(np.array([[65535]], np.uint16), identity_table(5))
    with pytest.raises(InputError, match=r"value -1 is "):
        look_up(np.array([[0, -1]]), identity_table(5))


def test_void_takes_precedence() -> None:
    found = look_up(np.array([[0, 1, 2, 255, 1000]]), identity_table(3, void=[0, 1000]))
    assert found.tolist() == [[255, 1, 2, 255, 255]]


@pytest.mark.parametrize("count", [0, 256])
def test_number_of_classes(count: int) -> None:
    with pytest.raises(InputError, match=f"{count} label classes; expected 1 to 255"):
        identity_table(count)
    assert look_up(np.array([[254]]), identity_table(255)).tolist() == [[254]]


def test_void_out_of_range() -> None:
    with pytest.raises(InputError, match="void is -1"):
        identity_table(3, void=[-1])


def test_vspw_is_the_shift_of_the_official_programs() -> None:
    raw = np.array([*range(125), 255], np.uint8)
    shifted = raw - np.uint8(1)  # Wraps: 0 becomes 255, 255 becomes 254.
    shifted[shifted == 254] = 255
    np.testing.assert_array_equal(look_up(raw[None], label_table(MASK_LABELS))[0], shifted)
    assert sorted(set(shifted)) == [*range(124), 255]


def test_cityscapes_train_ids() -> None:
    x = 255
    # From id 0 (unlabeled) to 33 (bicycle), in the order of the official label list.
    expected = [x, x, x, x, x, x, x, 0, 1, x, x, 2, 3, 4, x, x, x, 5, x, 6, 7, 8, 9, 10, 11, 12, 13]
    expected += [14, 15, x, x, 16, 17, 18]
    ids = np.arange(34)[None]
    assert look_up(ids, label_table(LABEL_IDS))[0].tolist() == expected
    names = [name for name, _, _ in CLASSES]
    assert names[10:14] == ["sky", "person", "rider", "car"]
    assert len({*names}) == len({colour for _, _, colour in CLASSES}) == 19
    with pytest.raises(InputError, match=r"expected 0\.\.33, 255"):
        look_up(np.array([[34]]), label_table(LABEL_IDS))


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_object_relabel(case: tuple[int, set[int]]) -> None:
    count, objects = case
    table = object_relabel(objects, count)
    assert table.dtype == np.int64
    assert table.tolist() == [int(i in objects) for i in range(count)]
