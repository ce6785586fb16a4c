"""Who speaks, by what second looks said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import Checks
from ditta_adapt.safety.judge import Judge

quick = settings(max_examples=60, deadline=None)


def judge(memory=(), adapted=(), **options) -> Judge:
    return Judge(Checks(**options), {"memory": tuple(memory), "adapted": tuple(adapted)})


def test_where_nothing_was_seen_the_image_model_speaks():
    assert judge().speaker == "image model"
    assert Judge(Checks()).speaker == "image model"
    assert judge(standard_errors=0.0).speaker == "image model"


@pytest.mark.parametrize(
    ("memory", "adapted", "speaker"),
    [
        # Of two, with the weight of two that spread by .05: squares .005 + .000098 over 3, so that
        # the standard error is .029; half of it is below the mean of .02.
        ((0.013, 0.027), (-0.02, -0.02), "memory"),
        ((0.01, 0.01), (0.02, 0.02), "adapted"),
        # The better mean, but opinions far apart: .04 less half of .05 is not above .03 less .014.
        ((0.03, 0.03), (-0.03, 0.11), "memory"),
        ((-0.2, 0.1), (-0.1, -0.1), "image model"),
        # Equal: what was trained has to be better.
        ((0.03, 0.03), (0.03, 0.03), "memory"),
        # Two that agree may be chance, eight are not: their standard error is .008.
        ((0.01,) * 2, (), "image model"),
        ((0.01,) * 8, (), "memory"),
        # One look does not decide.
        ((0.5,), (), "image model"),
        ((-0.01, -0.01), (), "image model"),
    ],
)
def test_the_one_that_is_approved_most_speaks(memory, adapted, speaker):
    assert judge(memory, adapted).speaker == speaker


@quick
@given(found=st.lists(st.floats(-1, 1), min_size=2, max_size=8), errors=st.floats(0, 3))
def test_approval_is_the_mean_less_standard_errors(found, errors):
    own = judge(found, standard_errors=errors)
    # As if there were two more squares, of .05 each.
    variance = (2 * 0.05**2 + len(found) * np.var(found)) / (len(found) + 1)
    error = np.sqrt(variance / len(found))
    assert own.approval("memory") == pytest.approx(np.mean(found) - errors * error, abs=1e-9)


@quick
@given(found=st.lists(st.floats(-1, 1), min_size=1, max_size=8))
def test_more_doubt_approves_of_less(found):
    approvals = [judge(found, standard_errors=z).approval("memory") for z in (0.0, 0.5, 1.0, 2.0)]
    assert approvals == sorted(approvals, reverse=True)


def test_old_opinions_are_forgotten():
    own = judge()
    for _ in range(20):
        own = own.after({"memory": -0.5, "adapted": -0.5})
    for _ in range(8):
        own = own.after({"memory": 0.1, "adapted": 0.2})
    assert own.opinions["memory"] == (0.1,) * 8
    assert own.speaker == "adapted"


def test_a_look_that_some_were_not_asked_about():
    own = judge((0.1,), (0.2,)).after({"memory": 0.3})
    assert own.opinions == {"memory": (0.1, 0.3), "adapted": (0.2,)}


def test_without_one_and_without_opinions():
    own = judge((0.1, 0.1), (0.2, 0.2))
    assert own.without("adapted").speaker == "memory"
    assert own.forgetting().opinions == {"memory": (), "adapted": ()}
    assert own.opinions == {"memory": (0.1, 0.1), "adapted": (0.2, 0.2)}


def test_opinions_that_are_noise_seldom_let_anything_through():
    """Looks that know nothing: a candidate speaks as often as a mean is a standard error off."""
    rng = np.random.default_rng(0)
    streams = rng.normal(0, 0.05, (1000, 6))
    spoke = {
        errors: np.mean([judge(row, standard_errors=errors).speaker == "memory" for row in streams])
        for errors in (0.0, 1.0, 2.0)
    }
    assert spoke[0.0] == pytest.approx(0.5, abs=0.05)
    # A normal variable is above 1 in 16 % of cases, above 2 in 2 %; Student's t with 5 degrees of
    # freedom in 18 % and 5 %. What is known of the spread lies between.
    assert spoke[1.0] == pytest.approx(0.17, abs=0.03)
    assert spoke[2.0] == pytest.approx(0.035, abs=0.02)
