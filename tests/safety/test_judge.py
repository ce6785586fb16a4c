"""Who speaks, by what second looks said."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ditta_adapt import Checks
from ditta_adapt.safety.judge import Judge

quick = settings(max_examples=60, deadline=None)
differences = st.lists(st.floats(-1, 1), max_size=8)


def judge(memory=(), adapted=(), **options) -> Judge:
    return Judge(Checks(**options), {"memory": tuple(memory), "adapted": tuple(adapted)})


def test_where_nothing_was_seen_the_image_model_speaks():
    assert judge(approval=0.0).speaker == "image model"
    assert Judge(Checks()).speaker == "image model"
    assert judge(approval=0.0, approval_looks=0.0).speaker == "image model"


@pytest.mark.parametrize(
    ("memory", "adapted", "speaker"),
    [
        ((0.01,), (-0.02,), "memory"),
        ((0.01,), (0.02,), "adapted"),
        ((-0.01, 0.03), (-0.01, 0.01), "memory"),
        ((-0.2, 0.1), (-0.1,), "image model"),
        # Equal: what was trained has to be better.
        ((0.01,), (0.01,), "memory"),
        # No word of one of them yet.
        ((-0.01,), (), "image model"),
    ],
)
def test_the_one_that_is_approved_most_speaks(memory, adapted, speaker):
    assert judge(memory, adapted, approval=0.0).speaker == speaker


@quick
@given(found=differences, approval=st.floats(-1, 1), looks=st.floats(0.1, 10))
def test_approval_is_a_mean_that_starts_somewhere(found, approval, looks):
    own = judge(found, approval=approval, approval_looks=looks)
    expected = (approval * looks + sum(found)) / (looks + len(found))
    assert own.approval("memory") == pytest.approx(expected, abs=1e-9)


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
    own = judge((0.1,), (0.2,))
    assert own.without("adapted").speaker == "memory"
    assert own.forgetting().opinions == {"memory": (), "adapted": ()}
    assert own.opinions == {"memory": (0.1,), "adapted": (0.2,)}
