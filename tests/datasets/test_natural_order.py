from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt.datasets.natural_order import natural_key

NAMES = st.text("ab_-.0123456789²", max_size=8)


@given(st.lists(st.integers(0, 10**12), min_size=1), st.sampled_from(["", "frame", "v2_f"]))
def test_numbers_count_as_numbers(numbers: list[int], prefix: str) -> None:
    names = [f"{prefix}{number}x" for number in numbers]
    expected = [f"{prefix}{number}x" for number in sorted(numbers)]
    assert sorted(names, key=natural_key) == expected


@given(st.lists(NAMES), st.randoms())
def test_the_order_does_not_depend_on_the_start(names: list[str], random) -> None:
    shuffled = list(names)
    random.shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == sorted(names, key=natural_key)


@given(st.lists(st.integers(0, 99999)))
def test_padded_numbers_keep_the_order_of_text(numbers: list[int]) -> None:
    names = [f"{number:05d}.jpg" for number in numbers]
    assert sorted(names, key=natural_key) == sorted(names)


def test_by_hand() -> None:
    names = ["f10", "f9", "f09", "g1", "f", "10", "9", "f2b3", "f2b20", "f2a9"]
    expected = ["9", "10", "f", "f2a9", "f2b3", "f2b20", "f09", "f9", "f10", "g1"]
    assert sorted(names, key=natural_key) == expected
