import pytest
from hypothesis import given
from hypothesis import strategies as st

from ditta_adapt import InputError
from ditta_adapt.evaluation import split_video
from ditta_adapt.evaluation.split import Split


@pytest.mark.parametrize(
    ("length", "warmups"), [(71, (7, 17, 35)), (9, (1, 2, 4)), (1, (1, 1, 1)), (50, (5, 12, 25))]
)
def test_published_warmups(length: int, warmups: tuple[int, ...]) -> None:
    found = [split_video(length, share).warmup for share in (0.1, 0.25, 0.5)]
    assert found == list(warmups)


@given(st.integers(1, 2000), st.integers(1, 99))
def test_parts_are_disjoint_and_complete(length: int, percent: int) -> None:
    split = split_video(length, percent / 100)
    assert [*range(split.warmup), *split.scored] == list(range(length))
    # The published program's integer arithmetic.
    assert split.warmup == max(length * percent // 100, 1)


def test_whole_videos() -> None:
    assert split_video(9, 1.0) == Split(9, range(9))
    assert split_video(9, 0.0) == split_video(9, 0) == Split(0, range(9))


@pytest.mark.parametrize(("length", "count"), [(9, 1), (9, 8), (2, 1)])
def test_numbers_of_frames(length: int, count: int) -> None:
    assert split_video(length, count) == Split(count, range(count, length))


@pytest.mark.parametrize("length", [7, 8])
def test_nothing_left_to_score(length: int) -> None:
    with pytest.raises(InputError, match=f"has {length} frames, and the warm-up takes 8"):
        split_video(length, 8)


@pytest.mark.parametrize("share", [-0.1, 1.01, 10.0, 0.125, float("nan")])
def test_shares_out_of_range(share: float) -> None:
    with pytest.raises(InputError, match="whole percentage"):
        split_video(10, share)


def test_no_frames() -> None:
    with pytest.raises(InputError, match="0 frames"):
        split_video(0, 0.1)
