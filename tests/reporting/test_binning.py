from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ditta_adapt.reporting.binning import bin_edges, binned_mean, runs

SHARES = st.floats(0, 1) | st.just(np.nan)
SERIES = st.integers(1, 60).flatmap(lambda count: arrays(np.float64, count, elements=SHARES))
MOST = st.integers(1, 40)


@given(count=st.integers(1, 500), most=MOST)
def test_bins_cover_all_and_are_of_one_size(count: int, most: int) -> None:
    sizes = np.diff(bin_edges(count, most))
    assert sizes.sum() == count
    assert len(sizes) == min(count, most)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


@given(series=SERIES, most=MOST)
def test_means_are_those_of_each_bin(series: np.ndarray, most: int) -> None:
    edges, means = bin_edges(len(series), most), binned_mean(series, most)
    for first, end, mean in zip(edges[:-1], edges[1:], means, strict=True):
        known = series[first:end][~np.isnan(series[first:end])]
        assert np.isnan(mean) if known.size == 0 else np.isclose(mean, known.mean())


@given(series=SERIES)
def test_a_short_series_stays_as_it_is(series: np.ndarray) -> None:
    np.testing.assert_array_equal(binned_mean(series, len(series)), series)


def test_columns_are_apart() -> None:
    np.testing.assert_array_equal(binned_mean([[0, 4], [2, 8], [5, 5]], 2), [[0, 4], [3.5, 6.5]])


@given(names=st.lists(st.sampled_from("abc"), min_size=1, max_size=60), most=MOST)
def test_runs_are_without_gaps_and_alternate(names: list[str], most: int) -> None:
    found = runs(names, most)
    assert len(found) <= most
    assert [first for first, _, _ in found] == [0, *(end for _, end, _ in found[:-1])]
    assert found[-1][1] == len(names)
    assert all(one[2] != other[2] for one, other in pairwise(found))


@given(names=st.lists(st.sampled_from("abc"), min_size=1, max_size=60))
def test_few_names_are_told_exactly(names: list[str]) -> None:
    told = [name for first, end, name in runs(names, len(names)) for _ in range(first, end)]
    assert told == names
